"""Rate sweeps as cells: one for each stage, since only means were published."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

from support.accuracy.cells import METRICS, Cell
from support.rate_sweeps import SWEEPS, replayed, stages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.rate_sweeps import Stage

__all__ = ["cells_of_sweeps"]

DRAWS = 5
"""Draws of a stage's arrivals; their results are averaged."""
KNEE = 1.5
"""A stage is at the knee if its mean e2e is so many times the lightest stage's."""


def cells_of_sweeps(data: Path) -> Iterator[Cell]:
    """Yield a cell for each stage: by default settings, and by what the manifest says of the engine."""
    for sweep, caching in SWEEPS.items():
        measured = stages(data, sweep)
        told = {"max_num_seqs": 128, "prefix_caching": caching, "engine": "vllm-0.11"}
        for mode, facts in (("defaults", {}), ("log facts", told)):
            for stage in measured:
                found = [replayed(stage, seed=seed, **facts) for seed in range(DRAWS)]
                errors = {
                    name: mean(one[name] for one in found) / getattr(stage, name) - 1
                    for name in METRICS
                }
                run = f"H100, Llama-3.1-8B, {'prefix caching' if caching else 'plain'}"
                yield Cell(run, f"{mode}, {stage.requested_rps:.0f}/s", _band(stage, measured[0]),
                           stage.requests, errors)  # fmt: skip


def _band(stage: Stage, lightest: Stage) -> str:
    if stage.overloaded:
        return "overload"
    return "knee" if stage.e2e_s > KNEE * lightest.e2e_s else "light"
