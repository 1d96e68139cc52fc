"""What both engines take: a workload as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.trace import MOST_S, check_numbers
from workloadlab.words import plural, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.trace import Trace

__all__ = [
    "PER_REQUEST",
    "Sessions",
    "Workload",
    "check_scales",
    "prefix_keys",
    "seed_state",
    "workload_of",
]

PREFIX_KEY_TOKENS = 256
YEAR_S = 365 * 86_400
LEAST_SCALE, MOST_SCALE = 1e-6, 1e6
"""Rates relative to the recorded one: a year passes in 32 s, and 32 s take a year."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Sessions = Literal["open", "closed", "clients"]


@dataclass(frozen=True)
class Workload:
    """Requests in arrival order, as the engines read them.

    Attributes:
        arrival_s: arrival times, non-decreasing.
        input_tokens: prompt lengths, at least 1.
        output_tokens: tokens to generate, at least 1: an engine that ran a prompt emits a token.
        predicted_tokens: predicted output lengths, -1 where there is none.
        session: dense session numbers, -1 where there is none.
        tenant: dense numbers of tenants, -1 where there is none.
        slo_class: dense numbers of service classes, -1 where there is none.
        block_ids: ids of the full prefix blocks of all requests, one after the other.
        first_block: where each request's ids start in `block_ids`, and the end: n + 1 entries.
        block_size: tokens per prefix block, 0 where there are none.
        priority: the lower, the more important; 0 where there is none.
        model: index of each request's model in `models`, -1 where it names none.
        models: distinct model names, sorted.
        next_turn: row of the turn that the end of this one releases, -1 for none.
        think_s: pause between the end of the turn before and this one; arrival_s of such a turn is
            not used.
    """

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    predicted_tokens: Ints
    session: Ints
    block_ids: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    first_block: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    block_size: int = 0
    model: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    models: tuple[str, ...] = ()
    priority: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    tenant: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    slo_class: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    next_turn: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    think_s: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if len(self.priority) == 0:
            object.__setattr__(self, "priority", np.zeros(len(self), np.int64))
        for name in ("model", "tenant", "slo_class"):
            if len(getattr(self, name)) == 0:
                object.__setattr__(self, name, np.full(len(self), -1))
        if len(self.next_turn) == 0:
            object.__setattr__(self, "next_turn", np.full(len(self), -1))
            object.__setattr__(self, "think_s", np.zeros(len(self)))
        if len(self.first_block) == 0:
            object.__setattr__(self, "first_block", np.zeros(len(self) + 1, np.int64))

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def starts(self) -> Ints:
        """Rows that arrive by the clock, in order of arrival: all, or the first turns of sessions."""
        first = np.ones(len(self), bool)
        first[self.next_turn[self.next_turn >= 0]] = False
        return np.flatnonzero(first)

    @property
    def closed(self) -> bool:
        """Whether turns wait for the one before them, so that not all arrive by the clock."""
        return bool((self.next_turn >= 0).any())

    @property
    def kv_tokens(self) -> Ints:
        """Most tokens that each request holds in a KV cache: its last token is never fed back."""
        return self.input_tokens + self.output_tokens - 1

    def prompt_blocks(self, row: int) -> tuple[list[int], int]:
        """Return the ids of a prompt's whole blocks, as far as it has them, and the tokens behind."""
        prompt, size = int(self.input_tokens[row]), self.block_size
        start, end = self.first_block[row : row + 2]
        whole = prompt // size if size else 0
        ids = [int(name) for name in self.block_ids[start:end][:whole]]
        return ids, prompt - len(ids) * size

    def scaled(self, rate_scale: float) -> Workload:
        """Return the same requests arriving `rate_scale` times as fast; think times stay."""
        check_scales([rate_scale])
        arrival_s = self.arrival_s / rate_scale
        longest_s = float(np.abs(arrival_s).max(initial=0.0))
        if longest_s > MOST_S:
            raise UsageError(
                f"rate scale {times(rate_scale)} makes the trace longer than "
                f"{MOST_S / YEAR_S:.0f} years",
                fix=f"use {times(float(f'{1.05 * rate_scale * longest_s / MOST_S:.2g}'))} or more",
            )
        return replace(self, arrival_s=arrival_s)


def check_scales(rate_scales: Sequence[float]) -> None:
    """Refuse rates that are no plausible multiples of the recorded one.

    Raises:
        UsageError: there is none, or one is not within 0.000001 to 1,000,000.

    Example:
        >>> check_scales([1.5, 2.0])
    """
    if not rate_scales:
        raise UsageError("there is no rate scale", fix="1 is the recorded rate")
    for scale in rate_scales:
        if not LEAST_SCALE <= scale <= MOST_SCALE:
            raise UsageError(
                f"rate scale {scale:g} is not within {LEAST_SCALE:.6f} to {MOST_SCALE:,.0f}",
                fix="1 is the recorded rate, 2 twice as fast",
            )


PER_REQUEST = tuple(
    key.name
    for key in fields(Workload)
    if key.name not in ("block_ids", "first_block", "block_size", "models")
)
"""Attributes of a workload that have one value for each request."""


def workload_of(trace: Trace, *, prefixes: bool = False, sessions: Sessions = "open") -> Workload:
    """Read the arrays that a replay needs.

    Rows without an output length, or with 0, are replayed as prompts that give one token.

    Args:
        trace: what to replay.
        prefixes: read block ids too, for prefix caching.
        sessions: "open" for logged arrivals; "closed" releases each turn of a session by the end of
            the one before; "clients" each request of a client by the end of its one before.

    Raises:
        UnsupportedError: the trace has no output lengths at all, or no block ids when asked for.
        UsageError: the trace has no requests.
    """
    if trace.requests == 0:
        raise UsageError("the trace has no requests, so there is nothing to replay")
    trace.require("arrivals", "a replay")
    trace.require("lengths", "a replay")
    frame = trace.read(
        "arrival_ns", "input_tokens", "output_tokens", "predicted_output_tokens", "session_id",
        "model", "priority", "tenant_id", "slo_class",
    )  # fmt: skip
    check_numbers(frame)

    def integers(name: str, *, null: int, least: int) -> Ints:
        column: Ints = frame[name].cast(pl.Int64).fill_null(null).to_numpy()
        return column.clip(least)

    models = sorted(frame["model"].drop_nulls().unique().to_list())
    blocks = _prefix_blocks(trace) if prefixes else {}
    turns = {} if sessions == "open" else _closed_loop(trace, by_client=sessions == "clients")
    return Workload(
        **blocks,
        **turns,
        arrival_s=frame["arrival_ns"].to_numpy() / 1e9,
        input_tokens=integers("input_tokens", null=1, least=1),
        output_tokens=integers("output_tokens", null=1, least=1),
        predicted_tokens=integers("predicted_output_tokens", null=-1, least=-1),
        session=_dense(frame["session_id"]),
        tenant=_dense(frame["tenant_id"]),
        slo_class=_dense(frame["slo_class"]),
        priority=frame["priority"].cast(pl.Int64).fill_null(0).to_numpy(),
        model=_indices(frame["model"], models),
        models=tuple(models),
    )


def prefix_keys(workload: Workload) -> Ints:
    """Return per request the id of its first whole prompt blocks: 256 tokens of them, at least one."""
    size = workload.block_size
    if size == 0:
        return np.full(len(workload), -1)
    named = np.minimum(np.diff(workload.first_block), workload.input_tokens // size)
    depth = np.minimum(named, max(PREFIX_KEY_TOKENS // size, 1))
    padded = np.append(workload.block_ids, -1).astype(np.int64)
    keys: Ints = np.where(
        depth > 0, padded[workload.first_block[:-1] + np.maximum(depth, 1) - 1], -1
    )
    return keys


def _dense(names: pl.Series) -> Ints:
    """Return the place of each name among the distinct ones, sorted; -1 for null."""
    return (names.rank("dense").cast(pl.Int64) - 1).fill_null(-1).to_numpy()


def _indices(names: pl.Series, known: list[str]) -> Ints:
    """Return the position of each name in `known`, -1 for null."""
    if not known:
        return np.full(len(names), -1)
    numbers = names.replace_strict(known, range(len(known)), default=-1, return_dtype=pl.Int64)
    return numbers.fill_null(-1).to_numpy()


def _prefix_blocks(trace: Trace) -> dict[str, Any]:
    """Read the ids of full blocks; where the session's next turn goes on, those of the output too."""
    trace.require("prefix", "prefix caching")
    frame = trace.read("block_ids", "block_size", "input_tokens", "output_tokens", "session_id")
    sizes = frame["block_size"].drop_nulls().unique().sort().to_list()
    if len(sizes) > 1:
        frame = _in_blocks_of_one_size(frame, math.gcd(*sizes))
    size = math.gcd(*sizes)
    full = pl.col("input_tokens").cast(pl.Int64) // size
    whole = (
        pl.col("input_tokens").cast(pl.Int64) + pl.col("output_tokens").fill_null(0) - 1
    ) // size
    own = pl.col("block_ids").fill_null([]).list.head(full)
    following = pl.col("block_ids").shift(-1).over("session_id").fill_null([])
    goes_on = pl.col("session_id").is_not_null() & (following.list.head(own.list.len()) == own)
    named = frame.select(
        ids=pl.when(goes_on)
        .then(following.list.head(pl.max_horizontal(full, whole)))
        .otherwise(own)
    )["ids"]
    lengths = named.list.len().to_numpy()
    flat = named.explode(empty_as_null=False).to_numpy()
    dense = np.unique(flat, return_inverse=True)[1] if len(flat) else flat
    return {
        "block_ids": dense.astype(np.int32),
        "first_block": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "block_size": size,
    }


def _in_blocks_of_one_size(frame: pl.DataFrame, size: int) -> pl.DataFrame:
    """Cut every block into parts of `size` tokens; blocks of different sizes share no part."""
    parts = (
        frame.with_row_index("row")
        .select("row", "block_ids", "block_size")
        .explode("block_ids", empty_as_null=False)
        .with_columns(block=pl.struct("block_size", "block_ids").rank("dense"))
        .with_columns(part=pl.int_ranges(0, pl.col("block_size") // size))
        .explode("part")
        .with_columns(block_ids=pl.struct("block", "part").rank("dense").cast(pl.UInt64))
        .group_by("row", maintain_order=True)
        .agg("block_ids")
    )
    rows = frame.drop("block_ids").with_row_index("row")
    return rows.join(parts, on="row", how="left", maintain_order="left")


def _closed_loop(trace: Trace, *, by_client: bool) -> dict[str, Any]:
    """Chain turns or clients' requests, with the recorded pauses or those that the timings imply."""
    who = "client_id" if by_client else "session_id"
    if not trace.has(who):
        raise UnsupportedError(
            f"a closed-loop replay of {'clients' if by_client else 'sessions'} needs {who}, which "
            "this trace does not record",
            fix=f"map it when ingesting: --map {who}=COLUMN",
        )
    frame = trace.read(who, "turn", "arrival_ns", "think_ns", "e2e_ns").with_row_index("row")
    order = [who, *([] if by_client else ["turn"]), "arrival_ns", "row"]
    frame = frame.sort(order, maintain_order=True)
    same = pl.col(who) == pl.col(who).shift(1)
    ended = (pl.col("arrival_ns") + pl.col("e2e_ns")).shift(1)
    implied = pl.col("arrival_ns") - ended
    frame = frame.with_columns(
        before=pl.when(same).then(pl.col("row").shift(1)),
        think=(implied if by_client else pl.coalesce("think_ns", implied)).clip(0),
    ).filter(pl.col("before").is_not_null())
    unknown = frame["think"].null_count()
    if unknown:
        raise UnsupportedError(
            f"a closed-loop replay needs think times; {plural(unknown, 'turn')} without think_ns or "
            "the end of the turn before",
            fix="replay with open sessions, or ingest a log with think times or timings",
        )
    next_turn, think_s = np.full(trace.requests, -1), np.zeros(trace.requests)
    next_turn[frame["before"].to_numpy()] = frame["row"].to_numpy()
    think_s[frame["row"].to_numpy()] = frame["think"].to_numpy() / 1e9
    return {"next_turn": next_turn, "think_s": think_s}


def seed_state(seed: int) -> int:
    """Return the 64-bit state that seeds the draws of one run."""
    return int(np.random.SeedSequence([seed]).generate_state(1, np.uint64)[0])
