"""`sweep.toml`: the axes of a sweep, and what is kept of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from workloadlab.errors import DataError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.oracles import ORACLES
from workloadlab.scoring import SLO
from workloadlab.shapes import ShapeError, build
from workloadlab.simulation.workload import check_scales
from workloadlab.toml_files import read_table

__all__ = ["SweepFile", "read_sweep"]

EXAMPLES = {
    "clusters": '["cluster.toml"]', "instances": "[2, 4]", "routers": '["round_robin", "random"]',
    "rate_scales": "[1, 1.5]", "seeds": "3", "sessions": '"open"', "slo": '"ttft=1,tpot=50ms"',
    "keep": '"metrics"',
}  # fmt: skip
"""A value of each key."""


@dataclass(frozen=True)
class SweepFile:
    """What a sweep file says; every key but clusters may be left out.

    Attributes:
        clusters: cluster files, beside this file.
        instances: sizes of clusters of one pool.
        routers: names, `my_router.py:name`, `router.json`, or `name=MODEL`.
        rate_scales: relative to the trace.
        seeds: number of seeds.
        sessions: open, closed or clients.
        slo: targets in words.
        keep: metrics or outcomes.
    """

    clusters: tuple[str, ...]
    instances: tuple[int, ...] = ()
    routers: tuple[str, ...] = ("round_robin", "least_requests")
    rate_scales: tuple[float, ...] = (1.0,)
    seeds: int = 1
    sessions: Literal["open", "closed", "clients"] = "open"
    slo: str = ""
    keep: Literal["metrics", "outcomes"] = "metrics"


def read_sweep(path: str | Path) -> SweepFile:
    """Read a sweep file; paths in it start at its own folder.

    Raises:
        UsageError: no such file.
        DataError: not TOML, an unknown key, or a value of another type or out of range; names it.
    """
    path = Path(path)
    facts = read_table(path, "sweep file")
    known = [key.name for key in fields(SweepFile)]
    for key in facts:
        if key not in known:
            raise DataError(f"unknown key {key!r}", where=str(path), fix=did_you_mean(key, known))
    try:
        found: SweepFile = build(SweepFile, {k: _several(k, v) for k, v in facts.items()})
    except ShapeError as error:
        raise _wrong(path, re.split(r"\W", str(error))[0], str(error)) from error
    _check(path, found)
    return SweepFile(
        **vars(found)
        | {
            "clusters": tuple(_beside(path, word) for word in found.clusters),
            "routers": tuple(_router(path, word) for word in found.routers),
        }
    )


def _check(path: Path, found: SweepFile) -> None:
    """Refuse values that no sweep can have."""
    for key in ("clusters", "routers", "rate_scales"):
        if not getattr(found, key):
            raise _wrong(path, key, f"{key} is empty")
    for name in found.routers:
        if name in ORACLES:
            raise DataError(
                f"routers: {name} is an oracle, and oracles cannot be swept", where=str(path),
                fix=f"take it out, and replay it without --sweep: --router {name}",
            )  # fmt: skip
    try:
        check_scales(found.rate_scales)
    except UsageError as error:
        raise _wrong(path, "rate_scales", f"rate_scales: {error.what}") from error
    for key, counts in (("instances", found.instances), ("seeds", (found.seeds,))):
        for count in counts:
            if count < 1:
                raise _wrong(path, key, f"{key} has {count}, not 1 or more")
    if found.slo:
        try:
            SLO.of(found.slo)
        except UsageError as error:
            raise _wrong(path, "slo", f"slo: {error.what}") from error


def _wrong(path: Path, key: str, what: str) -> DataError:
    return DataError(what, where=str(path), fix=f"write, for example, {key} = {EXAMPLES[key]}")


def _several(key: str, value: Any) -> Any:
    """Return a list where one value of an axis stands alone."""
    axis = key in ("clusters", "instances", "routers", "rate_scales")
    return [value] if axis and not isinstance(value, list) else value


def _beside(path: Path, word: str) -> str:
    beside = path.parent / word
    try:
        return str(beside) if beside.is_file() else word
    except OSError:  # no file can be called so
        return word


def _router(path: Path, word: str) -> str:
    """Return a router's word with the file in it found beside the sweep file."""
    file, colon, name = word.partition(":")
    policy, equals, model = word.partition("=")
    if equals:
        return f"{policy}={_beside(path, model)}"
    return f"{_beside(path, file)}{colon}{name}"
