"""Between what a replay's means lie, by two more of the least and the most that its steps may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.scoring.run_score import RunScore
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["between"]

_SHOWN = {"ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "e2e"}


def between(least: Scoreboard, most: Scoreboard) -> Iterator[str]:
    """Say of each run between what its mean latencies lie.

    Args:
        least: scores of runs on the first of `Cluster.ends`.
        most: scores of the same runs on the second.
    """
    for low, high in zip(least.runs, most.runs, strict=True):
        means = "; ".join(f"{word} {_range(name, low, high)}" for name, word in _SHOWN.items())
        yield (
            f"{low.run_id}: by the least and the most that steps beyond the calibrated ones may take, "
            f"means lie between: {means}"
        )


def _range(name: str, least: RunScore, most: RunScore) -> str:
    low, high = (run.value(name, "mean") for run in (least, most))
    return "unknown" if low is None or high is None else f"{low:.4g} and {high:.4g} s"
