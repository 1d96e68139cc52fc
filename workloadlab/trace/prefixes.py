"""Block ids for logs that name none, from what is known of how their prompts were made."""

from __future__ import annotations

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.trace.trace import Provenance, Trace

__all__ = ["with_chat_prefixes"]


def with_chat_prefixes(trace: Trace, *, shared_tokens: int, block_size: int = 16) -> Trace:
    """Name the prompt blocks of a chat: a system prompt that all share, then the session's history.

    It is taken as known that every prompt starts with the same `shared_tokens` tokens and that each
    prompt of a session starts with the whole prompt of the one before, as in the multi-round-qa
    benchmark of the vLLM production-stack (LMBench): 1,000 tokens of system prompt, 20,000 tokens of the
    user's own, then question after answer after question. Block k of the system prompt has one id;
    later blocks have one id per session and position. Only full blocks are named. A request without a
    session shares nothing but the system prompt.

    Args:
        trace: needs lengths; sessions where prompts go on.
        shared_tokens: tokens at the start of every prompt.
        block_size: tokens per block.

    Raises:
        UsageError: a negative number of shared tokens, or no block size.

    Example:
        >>> import polars as pl
        >>> log = Trace.from_frame(pl.DataFrame({
        ...     "arrival_ns": [0, 1, 2], "input_tokens": [50, 50, 70], "session_id": ["a", "b", "a"]}))
        >>> with_chat_prefixes(log, shared_tokens=20).read("block_ids")["block_ids"].to_list()
        [[0, 1, 2], [0, 4, 5], [0, 1, 2, 3]]
    """
    if shared_tokens < 0 or not 0 < block_size < 2**16:
        raise UsageError(
            f"{shared_tokens} shared tokens in blocks of {block_size} name no blocks",
            fix="give 0 or more shared tokens and 1 to 65535 tokens per block",
        )
    sessions = pl.col("session_id") if "session_id" in trace.columns else pl.lit(None, pl.String)
    full, common = pl.col("input_tokens").cast(pl.Int64) // block_size, shared_tokens // block_size
    own = pl.coalesce(sessions, pl.format("row {}", "row_id")).rank("dense").cast(pl.Int64) - 1
    first = common + own * (full.max() - common).clip(0)
    frame = trace.frame.with_columns(
        block_ids=pl.concat_list(
            pl.int_ranges(0, full.clip(upper_bound=common)),
            pl.int_ranges(first, first + (full - common).clip(0)),
        ).cast(pl.List(pl.UInt64)),
        block_size=pl.lit(block_size, pl.UInt16),
    )
    provenance = Provenance(
        reader="chat prefixes",
        options={"shared_tokens": shared_tokens, "block_size": block_size},
        t0_unix_ns=trace.provenance.t0_unix_ns,
        system=trace.provenance.system,
        parents=[trace.provenance.to_dict()],
    )
    return Trace.from_frame(frame, provenance=provenance)
