"""Block ids for logs that record sessions but no prefixes."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.trace.trace import Provenance, Trace

__all__ = ["session_prefixes"]


def session_prefixes(trace: Trace, *, block_size: int = 16, shared_tokens: int = 0) -> Trace:
    """Return the trace with the block ids that append-only sessions imply.

    A chat sends its whole history with every turn, so a turn's prompt begins with the prompt before
    it: block k of both is the same. A prompt shorter than the one before starts a new history.
    Nothing is known of prefixes that sessions share but their common start, such as a system prompt.

    Args:
        trace: needs session_id; rows without one share only the common start.
        block_size: tokens per block, 1 to 65,535.
        shared_tokens: tokens with which every prompt begins; only its whole blocks can be shared.

    Returns:
        The same rows with `block_ids` (full blocks of the prompt) and `block_size`.

    Raises:
        UnsupportedError: the trace has no sessions.
        UsageError: a block size or a shared length out of range.

    Example:
        >>> chat = Trace.from_frame(pl.DataFrame({
        ...     "arrival_ns": [0, 1, 2], "input_tokens": [40, 50, 90], "session_id": ["a", "b", "a"]}))
        >>> session_prefixes(chat, shared_tokens=16).read("block_ids")["block_ids"].to_list()
        [[0, 1], [0, 5, 6], [0, 1, 2, 3, 4]]
    """
    trace.require("session", "prefixes from sessions")
    if not 0 < block_size < 2**16:
        raise UsageError(f"block size {block_size}", fix="use 1 to 65535 tokens")
    if shared_tokens < 0:
        raise UsageError(f"{shared_tokens} shared tokens", fix="use 0 or more")
    common = shared_tokens // block_size
    order = ["session_id", *(["turn"] if trace.has("turn") else []), "arrival_ns", "row_id"]
    length = pl.col("input_tokens")
    same = pl.col("session_id") == pl.col("session_id").shift(1)
    own = (pl.col("full") - common).clip(0)
    chains = (
        trace.frame.select({*order, "input_tokens"})
        .sort(order)
        .select(
            "row_id",
            chain=(same & (length >= length.shift(1))).fill_null(value=False).not_().cum_sum(),
            full=(length // block_size).cast(pl.Int64),
        )
        .with_columns(most=own.max().over("chain"))
        .with_columns(first=pl.col("chain").is_first_distinct() * pl.col("most"))
        .with_columns(base=common + pl.col("first").cum_sum() - pl.col("most"))
        .select(
            "row_id",
            block_ids=pl.concat_list(
                pl.int_ranges(0, pl.min_horizontal("full", common)),
                pl.int_ranges("base", pl.col("base") + own),
            ).cast(pl.List(pl.UInt64)),
            block_size=pl.lit(block_size, pl.UInt16),
        )
    )
    known = trace.frame.drop("block_ids", "block_size", strict=False)
    provenance = Provenance(
        reader="session_prefixes",
        options={"block_size": block_size, "shared_tokens": shared_tokens},
        t0_unix_ns=trace.provenance.t0_unix_ns,
        system=trace.provenance.system,
        parents=[trace.provenance.to_dict()],
    )
    made = Trace.from_frame(known.join(chains, on="row_id"), provenance=provenance)
    return replace(made, frame=made.frame.collect().lazy())
