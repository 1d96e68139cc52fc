"""Rent and power of GPUs, from a file that a person can edit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloadlab.errors import DataError, UsageError
from workloadlab.latency.hardware.gpus import find_gpu

__all__ = ["Price", "load_prices", "price_of"]

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
    path = Path(path) if path else SHIPPED
    if not path.is_file():
        raise UsageError("no such price file", where=str(path), fix="check the path")
    try:
        tables = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"is not TOML: {error}", where=str(path)) from error
    return {name: _price(name, table, path) for name, table in tables.items()}


def price_of(gpu: str, prices: dict[str, Price]) -> Price | None:
    """Return the price of a GPU under any of its names; None where no file names it."""
    if gpu in prices:
        return prices[gpu]
    try:
        name = find_gpu(gpu).name
    except UsageError:
        return None
    return prices.get(name)


def _price(name: str, table: Any, path: Path) -> Price:
    where = f"{path}, {name}"
    if not isinstance(table, dict) or "usd_per_hour" not in table or set(table) - KEYS:
        raise DataError("is no price", where=where, fix="write usd_per_hour = 2.5 and watts = 700")
    for key, value in table.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
            raise DataError(f"{key} = {value!r}", where=where, fix="use a number, 0 or more")
    watts = table.get("watts")
    return Price(float(table["usd_per_hour"]), None if watts is None else float(watts))
