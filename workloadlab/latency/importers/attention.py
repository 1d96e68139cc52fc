"""Attention of one layer from points that were measured apart for prefill and for decode.

Both answer in microseconds. A mixed step is taken as its prefill plus its decodes, a lower bound:
where one kernel was measured for both (RTX 4090 and RTX PRO 6000, FlashAttention 2) its
attention takes 1.2 to 3 times the sum, and the step 1 to 50 % longer, most with short chunks beside
many long contexts. So a source may give decodes beside a prefill a cost of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Attention", "DecodeGrid", "PrefillLines", "mixed_note"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Attention of one layer on one GPU, in microseconds.

    Attributes:
        prefill_us: from arrays (chunk, cached tokens).
        decode_us: from arrays (sequences, context of each).
        mixed_decode_us: the same for decodes beside a prefill; None if they cost what they cost
            alone.
        largest: (3 kinds of step, 4 axes) the largest chunk, cached, sequences, context of each
            that it answers for.
        origin: where it was measured, in words.
        max_context: most cached tokens of all decodes together.
    """

    prefill_us: Callable[[Floats, Floats], Floats]
    decode_us: Callable[[Floats, Floats], Floats]
    mixed_decode_us: Callable[[Floats, Floats], Floats] | None = None
    largest: Floats
    origin: str
    max_context: float = float("inf")

    def __call__(self, steps: Floats) -> Floats:
        """Microseconds of rows of (chunk, cached, sequences, context of each)."""
        chunk, cached, seqs, context = steps.T
        decode = self.decode_us(seqs, context)
        if self.mixed_decode_us:
            decode = np.where(chunk > 0, self.mixed_decode_us(seqs, context), decode)
        us: Floats = self.prefill_us(chunk, cached) + decode
        return us


def mixed_note(attention: Attention) -> str:
    """Say how mixed steps were composed, for the provenance."""
    if attention.mixed_decode_us:
        return "decodes beside a prefill estimated from full tiles"
    return "mixed steps are prefill plus decode, a lower bound"


@dataclass(frozen=True)
class PrefillLines:
    """Prefill attention: for each measured chunk a straight line over its cached tokens.

    A kernel that walks the keys of a chunk costs the same for every key, so lines are what the
    measurements lie on. A chunk larger than measured is taken as equal pieces, one after another.

    Attributes:
        chunks: measured chunk sizes, ascending.
        intercept: microseconds at no cached token.
        slope: microseconds per cached token.
        within: share of a chunk's own tokens that its line counts as cached.
    """

    chunks: Floats
    intercept: Floats
    slope: Floats
    within: float = 0.0

    @classmethod
    def of(cls, chunk: Floats, cached: Floats, us: Floats, *, within: float = 0.0) -> PrefillLines:
        """Fit a least-squares line to every chunk that was measured at two or more cached counts."""
        sizes, lines = [], []
        for size in np.unique(chunk):
            rows = chunk == size
            if len(np.unique(cached[rows])) < 2:
                continue
            slope, intercept = np.polyfit(cached[rows], us[rows], 1)
            sizes.append(float(size))
            lines.append((max(intercept, 0.0), max(slope, 0.0)))
        table = np.array(lines).reshape(-1, 2)
        return cls(np.array(sizes), table[:, 0], table[:, 1], within)

    def __call__(self, chunk: Floats, cached: Floats) -> Floats:
        """Microseconds of chunks with cached tokens before them; 0 for chunks of 0."""
        pieces = np.maximum(1.0, np.ceil(chunk / self.chunks[-1]))
        piece = chunk / pieces
        intercept = np.interp(piece, self.chunks, self.intercept)
        slope = np.interp(piece, self.chunks, self.slope)
        # Cached tokens of a piece, on average.
        before = cached + piece * ((pieces - 1) / 2 + self.within)
        us: Floats = np.where(chunk > 0, pieces * (intercept + slope * before), 0.0)
        return us


@dataclass(frozen=True)
class DecodeGrid:
    """Decode attention over (sequences, context of each), linear between measured points.

    Beyond the contexts measured for a batch size the time grows as it does over their upper half.

    Attributes:
        seqs: measured batch sizes, ascending.
        context: all contexts measured for any of them, ascending.
        us: microseconds, (seqs, context).
    """

    seqs: Floats
    context: Floats
    us: Floats

    @classmethod
    def of(cls, seqs: Floats, context: Floats, us: Floats) -> DecodeGrid:
        """Complete the measured points to a grid; repeated points count by their median."""
        sizes = np.unique(seqs)
        axis = np.unique(context)
        table = np.empty((len(sizes), len(axis)))
        for row, size in enumerate(sizes):
            mine = seqs == size
            known = np.unique(context[mine])
            times = np.array([np.median(us[mine & (context == c)]) for c in known])
            table[row] = np.interp(axis, known, times)
            if len(known) > 1:
                half = np.interp(known[-1] / 2, known, times)
                slope = max(0.0, (times[-1] - half) / (known[-1] - max(known[-1] / 2, known[0])))
                table[row] += slope * np.maximum(0.0, axis - known[-1])
        return cls(sizes, axis, table)

    def __call__(self, seqs: Floats, context: Floats) -> Floats:
        """Microseconds of batches of equal contexts; 0 for batches of 0; clamped to the grid."""
        from scipy.interpolate import RegularGridInterpolator

        grid = RegularGridInterpolator((self.seqs, self.context), self.us)
        inside = (
            np.clip(seqs, self.seqs[0], self.seqs[-1]),
            np.clip(context, self.context[0], self.context[-1]),
        )
        us: Floats = np.where(seqs > 0, grid(np.column_stack(inside)), 0.0)
        return us
