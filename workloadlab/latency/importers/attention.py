"""Attention of one layer from points that were measured apart for prefill and for decode.

Both answer in microseconds. A mixed step is taken as its prefill plus its decodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["DecodeGrid", "PrefillLines"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


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
