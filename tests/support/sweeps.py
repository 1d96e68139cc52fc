"""Small sweeps for processes that begin quickly: a short trace, and two routers, one of which draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from workloadlab.characterization.bounded import make_plan
from workloadlab.latency import LatencyModel
from workloadlab.simulation import Cluster
from workloadlab.sweeping import Grid
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.characterization.bounded import Plan


__all__ = ["files_of", "many_parts", "short_trace", "small_grid", "swept_options"]

REQUESTS = 120


def short_trace(folder: Path) -> Path:
    """Write a trace of some requests and return its path."""
    path = folder / "short.trace"
    if not path.exists():
        Trace.of((0.05 * k, 20, 8) for k in range(REQUESTS)).save(path)
    return path


def many_parts(folder: Path) -> Plan:
    """Return the plan of a trace of 40 minutes, cut into several parts."""
    path = folder / "long.trace"
    if not path.exists():
        with patch("workloadlab.trace.store.ROW_GROUP", 50):
            Trace.of((2.0 * k, 20 + k % 7, 8) for k in range(1200)).save(path)
    return make_plan(Trace.open(path), part_rows=100)


def swept_options(**more: Any) -> dict[str, Any]:
    """Return the axes of a small sweep: two sizes, two routers, two rates, two seeds."""
    model = LatencyModel.linear(constant_s=0.02)
    return {
        "clusters": {"small": Cluster.uniform(2, model, max_num_seqs=4)},
        "instances": [2, 3],
        "routers": ["round_robin", "random"],
        "rate_scale": [1.0, 2.0],
        "seeds": 2,
        "slo": "ttft=0.1",
        **more,
    }


def small_grid(folder: Path, **more: Any) -> Grid:
    """Return the grid of a small sweep: 12 runs, since round_robin draws nothing."""
    return Grid.of(short_trace(folder), **swept_options(**more))


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
