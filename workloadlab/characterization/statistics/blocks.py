"""The prompts' blocks as flat arrays of dense, chained ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns
from workloadlab.characterization.statistics.locality import hash_names

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = ["EMPTY", "NO_BLOCKS", "Blocks", "one_size", "read_blocks", "tokens_at"]


@dataclass(frozen=True)
class Blocks:
    """The blocks of the requests that record them, in order of arrival.

    Attributes:
        ids: flat accesses, dense from 0, a prompt's head first.
        offsets: int64, (requests + 1,): where each request's accesses begin.
        distinct: number of ids.
        parents: the block before each block, -1 for a first one.
        chained: whether the trace's own ids name prefixes; otherwise they were chained here.
        block_size: tokens of a full block.
        tokens: int64, tokens of each access; a prompt's last block may be partial.
        input_tokens: int64, per request.
        arrival_ns: int64, per request.
        session: int64 code per request, -1 where not recorded; None where no request has one.
        session_bits: 64 bits of its name per request, 0 where not recorded.
        missing: requests left out because they record no blocks.
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    distinct: int
    parents: NDArray[np.int64]
    chained: bool
    block_size: int
    tokens: NDArray[np.int64]
    input_tokens: NDArray[np.int64]
    arrival_ns: NDArray[np.int64]
    session: NDArray[np.int64] | None
    session_bits: NDArray[np.uint64]
    missing: int

    @property
    def requests(self) -> int:
        """Number of requests."""
        return len(self.offsets) - 1

    @property
    def full_blocks(self) -> NDArray[np.int64]:
        """Full blocks of each prompt, whether recorded or not."""
        return self.input_tokens // self.block_size

    def token_hit_ratio(self, hits: NDArray[np.int64], start: int = 0) -> float | None:
        """Return hit tokens / prompt tokens of the requests from `start` on; None without tokens.

        Args:
            hits: int64, (requests,): how many blocks of each prompt hit, a leading run.
            start: index of the first request that counts.
        """
        hit_tokens, tokens = self._hit_tokens(hits)[start:], int(self.input_tokens[start:].sum())
        return int(hit_tokens.sum()) / tokens if tokens else None

    def mean_token_hit_ratio(self, hits: NDArray[np.int64]) -> float | None:
        """Return the mean over requests of hit tokens / prompt tokens; None without tokens."""
        long = self.input_tokens > 0
        if not long.any():
            return None
        return float(np.mean(self._hit_tokens(hits)[long] / self.input_tokens[long]))

    def _hit_tokens(self, hits: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(hits * self.block_size, self.input_tokens)


NO_BLOCKS = Unsupported("no request records block_ids and block_size")
EMPTY = Unsupported("every request's list of blocks is empty")


def one_size(sizes: Collection[int]) -> int | Unsupported:
    """Return the size of a trace's blocks, where they all have one."""
    if not sizes:
        return Unsupported("no measured request records block_ids and block_size")
    if len(sizes) > 1:
        named = ", ".join(map(str, sorted(sizes)))
        return Unsupported(f"blocks of {named} tokens are mixed, so equal ids mean nothing")
    return int(*sizes) or Unsupported("the block_size is 0")


def read_blocks(trace: Trace) -> Blocks | Unsupported:
    """Read the block ids of a trace; a trace without any, or with mixed sizes, is Unsupported."""
    if not trace.has("block_ids", "block_size"):
        return NO_BLOCKS
    frame = read_columns(
        trace, "arrival_ns", "input_tokens", "block_ids", "block_size", "session_id"
    )
    known = frame.filter(pl.col("block_ids").is_not_null())
    size = one_size(known["block_size"].drop_nulls().unique().to_list() if len(known) else ())
    if isinstance(size, Unsupported):
        return size
    counts = known["block_ids"].list.len().to_numpy().astype(np.int64)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    ids, distinct = _dense(known["block_ids"].explode().drop_nulls().to_numpy())
    if not len(ids):
        return EMPTY
    parents, ids, distinct, chained = _chain(ids, offsets, distinct)
    inputs = known["input_tokens"].to_numpy().astype(np.int64)
    return Blocks(
        ids=ids,
        offsets=offsets,
        distinct=distinct,
        parents=parents,
        chained=chained,
        block_size=size,
        tokens=tokens_at(
            np.repeat(inputs, counts), np.arange(len(ids)) - np.repeat(offsets[:-1], counts), size
        ),
        input_tokens=inputs,
        arrival_ns=known["arrival_ns"].to_numpy(),
        session=_codes(known["session_id"]),
        session_bits=hash_names(known["session_id"]),
        missing=len(frame) - len(known),
    )


def _dense(ids: NDArray[np.uint64]) -> tuple[NDArray[np.int64], int]:
    """Return the ids numbered from 0 in ascending order, and how many there are."""
    if len(ids) and int(ids.max()) < 8 * len(ids) + 1024:
        present = np.zeros(int(ids.max()) + 1, dtype=np.bool_)
        present[ids] = True
        numbers = np.cumsum(present) - 1
        return numbers[ids], int(numbers[-1]) + 1
    distinct, codes = np.unique(ids, return_inverse=True)
    return codes.astype(np.int64), len(distinct)


def _chain(
    ids: NDArray[np.int64], offsets: NDArray[np.int64], distinct: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, bool]:
    """Return parents, ids and their number; ids that follow different blocks become several."""
    from workloadlab.characterization.statistics.cache_loops import chain_parents

    parents, chained = chain_parents(ids, offsets, distinct)
    if chained:
        return parents, ids, distinct, True
    starts, counts = offsets[:-1], np.diff(offsets)
    renamed = np.empty_like(ids)
    before = np.full(len(starts), -1, dtype=np.int64)
    used = 0
    for depth in range(int(counts.max())):
        rows = np.flatnonzero(counts > depth)
        positions = starts[rows] + depth
        keys = (before[rows] + 1) * distinct + ids[positions]
        different, codes = np.unique(keys, return_inverse=True)
        renamed[positions] = before[rows] = codes + used
        used += len(different)
    return chain_parents(renamed, offsets, used)[0], renamed, used, False


def tokens_at(
    inputs: NDArray[np.int64], depth: NDArray[np.int64], block_size: int
) -> NDArray[np.int64]:
    """Return the tokens of uses: full blocks hold `block_size`, what lies beyond the prompt none.

    Args:
        inputs: tokens of the prompt of each use.
        depth: the block's place in it, from 0.
        block_size: tokens of a full block.
    """
    tokens: NDArray[np.int64] = np.clip(inputs - depth * block_size, 0, block_size)
    return tokens


def _codes(names: pl.Series) -> NDArray[np.int64] | None:
    if names.null_count() == len(names):
        return None
    codes = names.rank("dense").cast(pl.Int64) - 1
    return codes.fill_null(-1).to_numpy()
