"""What a replay may write down beside the outcomes: every step, and every decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.arguments import words
from workloadlab.errors import UsageError
from workloadlab.simulation.engine import record_types as state

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.engine.lane_record import LaneArrays
    from workloadlab.simulation.outcome import Outcome

__all__ = ["RECORDS", "Recorder", "recorder_for"]

RECORDS = ("steps", "decisions")
"""What can be recorded."""

ROOM = 1 << 16


@dataclass
class Recorder:
    """Collects records while a lane runs; the kernel fills a buffer, this empties it.

    Attributes:
        steps: record every step. A run of steps is then no longer taken in one jump.
        decisions: record every decision.
        room: how many records the buffers hold.
    """

    steps: bool = False
    decisions: bool = False
    room: int = ROOM
    _steps: list[Any] = field(default_factory=list, init=False)
    _decisions: list[Any] = field(default_factory=list, init=False)
    _scores: list[Any] = field(default_factory=list, init=False)

    @property
    def room_for_steps(self) -> int:
        """Length of the kernel's buffer of steps."""
        return self.room if self.steps else 0

    @property
    def room_for_decisions(self) -> int:
        """Length of the kernel's buffer of decisions."""
        return self.room if self.decisions else 0

    def drain(self, made: LaneArrays) -> None:
        """Take over what the buffers hold."""
        lane = made.lane[0]
        taken, decided = int(lane["recorded_steps"]), int(lane["recorded_decisions"])
        if taken:
            self._steps.append(made.arrays["steps"][:taken].copy())
        if decided:
            self._decisions.append(made.arrays["decisions"][:decided].copy())
            self._scores.append(made.arrays["scores"][:decided].copy())
        lane["recorded_steps"] = lane["recorded_decisions"] = lane["full"] = 0

    @property
    def step_records(self) -> Any:
        """Every step so far, an array of `engine.record_types.STEP`."""
        return _joined(self._steps, state.STEP)

    def frames(self, cluster: Cluster, outcome: Outcome) -> dict[str, pl.DataFrame]:
        """Return what was recorded: "steps" and "decisions", those that were asked for."""
        frames = {}
        if self.steps:
            frames["steps"] = _step_frame(self.step_records, cluster)
        if self.decisions:
            rows = _joined(self._decisions, state.DECISION)
            names = cluster.instance_names
            scores = np.concatenate(self._scores or [np.zeros((0, len(names)))])
            frames["decisions"] = _decision_frame(rows, scores, names, outcome)
        return frames


def recorder_for(record: Iterable[str]) -> Recorder:
    """Return a recorder of "steps", "decisions" or both.

    Raises:
        UsageError: anything else.
    """
    asked = set(words("record", record))
    unknown = sorted(asked - set(RECORDS))
    if unknown:
        raise UsageError(f"cannot record {unknown[0]!r}", fix=f"use {', '.join(RECORDS)}")
    return Recorder(steps="steps" in asked, decisions="decisions" in asked)


def _joined(parts: list[Any], dtype: np.dtype[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _nanoseconds(seconds: Any) -> Any:
    return np.rint(seconds * 1e9).astype(np.int64)


def _step_frame(rows: Any, cluster: Cluster) -> pl.DataFrame:
    """Name the columns as a step table does, so that a model can be fitted on a recorded replay."""
    of = np.repeat(np.arange(len(cluster.pools)), [pool.instances for pool in cluster.pools])
    facts = [(pool.latency.gpu, pool.latency.model, pool.latency.tp) for pool in cluster.pools]
    pools = of[rows["instance"]]
    start_ns = _nanoseconds(rows["start_s"])
    return pl.DataFrame(
        {
            "instance_id": pl.Series(cluster.instance_names).gather(rows["instance"]),
            "start_ns": start_ns,
            "latency_ns": _nanoseconds(rows["end_s"]) - start_ns,
            "prefill_tokens": rows["prefill_tokens"],
            "prefill_context_tokens": np.rint(rows["prefill_context_tokens"]).astype(np.int64),
            "decode_seqs": rows["decode_seqs"],
            "decode_context_tokens": rows["decode_context_tokens"],
            "waiting": rows["waiting"],
            "kv_blocks_used": rows["kv_blocks_used"],
            "gpu": pl.Series([gpu for gpu, _, _ in facts]).gather(pools),
            "model": pl.Series([model for _, model, _ in facts]).gather(pools),
            "tp": pl.Series([tp for _, _, tp in facts]).gather(pools),
        }
    ).sort("start_ns", "instance_id", maintain_order=True)


def _decision_frame(rows: Any, scores: Any, names: Sequence[str], outcome: Outcome) -> pl.DataFrame:
    """Lay each decision beside what became of its request; times count from its arrival."""
    row, chosen = rows["row"], rows["chosen"]
    arrival = outcome.arrival_s[row]

    def since_arrival(moments: Any) -> pl.Series:
        known = np.isfinite(moments)
        span = _nanoseconds(np.where(known, moments, arrival) - arrival)
        return pl.Series(span).set(pl.Series(~known), None)

    placed = pl.Series(chosen >= 0)
    ended = np.where(chosen >= 0, outcome.end_s[row], np.nan)
    first = np.where(chosen >= 0, outcome.first_token_s[row], np.nan)
    return pl.DataFrame(
        {
            "row": row,
            "at_ns": _nanoseconds(rows["at_s"]),
            "instance_id": pl.Series(list(names)).gather(np.maximum(chosen, 0)).set(~placed, None),
            "scores": pl.Series(scores, dtype=pl.Array(pl.Float64, scores.shape[1]))
            .arr.to_list()
            .list.eval(pl.element().fill_nan(None)),
            "view_age_ns": _nanoseconds(rows["view_age_s"]),
            "held": rows["held"],
            "ttft_ns": since_arrival(first),
            "e2e_ns": since_arrival(ended),
        }
    )
