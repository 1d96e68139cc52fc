"""Rent and power of GPUs, from a file that a person can edit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloadlab.arguments import file_path, number
from workloadlab.errors import DataError, UsageError, WorkloadlabError
from workloadlab.fields import is_number
from workloadlab.latency import LatencyModel
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.scoring import Rent
from workloadlab.toml_files import read_table

__all__ = ["Price", "load_prices", "price", "price_of", "rent_of"]

SHIPPED = Path(__file__).with_name("prices.toml")
KEYS = {"usd_per_hour", "watts"}


@dataclass(frozen=True)
class Price:
    """What one GPU costs.

    Attributes:
        usd_per_hour: rent, in dollars.
        watts: power under load; None where the file does not say.
    """

    usd_per_hour: float
    watts: float | None = None


def load_prices(path: str | Path | None = None) -> dict[str, Price]:
    """Read prices by GPU: the file that ships, or one of the same form.

    Args:
        path: TOML, one table per GPU with `usd_per_hour` and, if known, `watts`.

    Raises:
        UsageError: no such file.
        DataError: not TOML, or a table without a price.

    Example:
        >>> load_prices()["H100-SXM"].watts
        700.0
    """
    path = SHIPPED if path is None else file_path("path", path)
    tables = read_table(path, "price file")
    return {name: _price(name, table, path) for name, table in tables.items()}


def price(argument: str, value: Any) -> Price:
    """Return a price; a number is the rent alone.

    Raises:
        UsageError: it is neither, or negative.

    Example:
        >>> price("prices['L4']", 0.8)
        Price(usd_per_hour=0.8, watts=None)
    """
    found = value if isinstance(value, Price) else Price(number(argument, value))
    if not 0 <= found.usd_per_hour < math.inf:
        raise UsageError(f"{argument} = {value}", fix="give dollars per hour, 0 or more")
    return found


def price_of(gpu: str, prices: dict[str, Price]) -> Price | None:
    """Return the price of a GPU under any of its names; None where no file names it."""
    if gpu in prices:
        return prices[gpu]
    try:
        name = find_gpu(gpu).name
    except UsageError:
        return None
    return prices.get(name)


def rent_of(cluster: dict[str, Any], prices: dict[str, Price]) -> Rent | None:
    """Return what a cluster costs; None where a pool's latency model is not at hand.

    Args:
        cluster: as plain data, such as `Runs.cluster`.
        prices: by GPU.

    Example:
        >>> rent_of({"pool": [{"latency": "h100-llama-3.1-8b", "instances": 4}]}, load_prices()).gpus
        4
    """
    gpus, usd_per_hour, watts = 0, 0.0, 0.0
    for pool in cluster.get("pool", []):
        try:
            model = LatencyModel.load(pool["latency"])
        except WorkloadlabError:
            return None
        count = int(pool["instances"]) * model.tp
        price = price_of(model.gpu, prices)
        gpus += count
        usd_per_hour += count * price.usd_per_hour if price else math.nan
        watts += count * price.watts if price and price.watts is not None else math.nan
    if not gpus:
        return None
    return Rent(
        gpus=gpus,
        usd_per_hour=None if math.isnan(usd_per_hour) else usd_per_hour,
        kilowatts=None if math.isnan(watts) else watts / 1000,
    )


def _price(name: str, table: Any, path: Path) -> Price:
    where = f"{path}, {name}"
    if not isinstance(table, dict) or "usd_per_hour" not in table or set(table) - KEYS:
        raise DataError("is no price", where=where, fix="write usd_per_hour = 2.5 and watts = 700")
    for key, value in table.items():
        if not is_number(value) or value < 0:
            raise DataError(f"{key} = {value!r:.60}", where=where, fix="use a number, 0 or more")
    watts = table.get("watts")
    return Price(float(table["usd_per_hour"]), None if watts is None else float(watts))
