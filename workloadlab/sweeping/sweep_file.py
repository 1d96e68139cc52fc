"""`sweep.toml`: the axes of a sweep, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from workloadlab.errors import DataError
from workloadlab.hints import did_you_mean
from workloadlab.shapes import ShapeError, build
from workloadlab.toml_files import read_table

__all__ = ["SweepFile", "read_sweep"]

EXAMPLE = 'clusters = ["cluster.toml"], routers = ["round_robin"]'


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
        DataError: not TOML, an unknown key, or a value of another type; names it.
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
        raise DataError(
            str(error), where=str(path), fix=f"write, for example, {EXAMPLE}"
        ) from error
    return SweepFile(
        **vars(found)
        | {
            "clusters": tuple(_beside(path, word) for word in found.clusters),
            "routers": tuple(_router(path, word) for word in found.routers),
        }
    )


def _several(key: str, value: Any) -> Any:
    """Return a list where one value of an axis stands alone."""
    axis = key in ("clusters", "instances", "routers", "rate_scales")
    return [value] if axis and not isinstance(value, list) else value


def _beside(path: Path, word: str) -> str:
    beside = path.parent / word
    return str(beside) if beside.is_file() else word


def _router(path: Path, word: str) -> str:
    """Return a router's word with the file in it found beside the sweep file."""
    file, colon, name = word.partition(":")
    policy, equals, model = word.partition("=")
    if equals:
        return f"{policy}={_beside(path, model)}"
    return f"{_beside(path, file)}{colon}{name}"
