"""The error card of a latency model: its errors on steps that the fit had not seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workloadlab.latency.step import FEATURES, KINDS, kind_of
from workloadlab.shapes import build

__all__ = ["POINT", "TITLES", "ErrorCard", "ErrorSlice", "buckets", "sample_points", "slice_errors"]

Array = np.ndarray[Any, np.dtype[Any]]

_BATCHES = (0, 16, 64, 128, 256)
_CONTEXTS = (0, 16_384, 65_536, 262_144)
_TOTALS = (0, 256, 1024, 2048)

POINT = (*FEATURES, "measured_s", "predicted_s")
"""Names of the numbers of one point of a card."""

TITLES = ("steps by", "", "n", "MAPE", "bias", "p95")
"""Of the columns of `ErrorCard.rows`."""

_MOST_POINTS = 120


@dataclass(frozen=True, kw_only=True)
class ErrorSlice:
    """Relative errors, (predicted - measured)/measured, of some of the steps.

    Attributes:
        by: the property that the steps are sliced by.
        slice: which of them.
        rows: number of steps.
        mape: mean absolute relative error, 0.01 = 1 %.
        bias: mean relative error; positive predicts too long.
        p95: 95 % quantile of the absolute relative error.
    """

    by: str
    slice: str
    rows: int
    mape: float
    bias: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class ErrorCard:
    """Errors of a fit, overall and by kind of step, batch size, context and total tokens.

    Attributes:
        split: the way in which the judged steps were held out, in words.
        fitted_rows: steps that the judged fit saw.
        judged_rows: steps that the errors are about.
        slices: the errors; the first is overall.
        points: some of the judged steps, each with the numbers of `POINT`; empty if none were kept.
    """

    split: str
    fitted_rows: int
    judged_rows: int
    slices: tuple[ErrorSlice, ...]
    points: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(
        cls, features: Array, measured_s: Array, predicted_s: Array, *, split: str, fitted_rows: int
    ) -> ErrorCard:
        """Judge predictions for rows of (p, x, n, c)."""
        error = (predicted_s - measured_s) / measured_s
        kinds = kind_of(features)
        decodes = features[:, 2] > 0
        masks = [("all steps", "", np.ones(len(error), bool))]
        masks += [("kind", kind, kinds == index) for index, kind in enumerate(KINDS)]
        masks += buckets("decode_seqs", features[:, 2], _BATCHES, decodes)
        masks += buckets("decode_context_tokens", features[:, 3], _CONTEXTS, decodes)
        masks += buckets(
            "total_tokens", features[:, 0] + features[:, 2], _TOTALS, np.ones(len(error), bool)
        )
        slices = tuple(
            slice_errors(by, name, error[mask]) for by, name, mask in masks if mask.any()
        )
        return cls(
            split=split,
            fitted_rows=fitted_rows,
            judged_rows=len(error),
            slices=slices,
            points=sample_points(features, measured_s, predicted_s),
        )

    def find(self, by: str, name: str = "") -> ErrorSlice | None:
        """Return one slice, such as the "decode" steps by "kind", or None."""
        return next((s for s in self.slices if (s.by, s.slice) == (by, name)), None)

    @property
    def overall(self) -> ErrorSlice:
        """The errors of all judged steps."""
        return self.slices[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; without points, no field for them."""
        facts = asdict(self) | {"slices": [asdict(s) for s in self.slices]}
        points = [list(point) for point in facts.pop("points")]
        return facts | ({"points": points} if points else {})

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> ErrorCard:
        """Read what `to_dict` wrote.

        Raises:
            ShapeError: it is something else.
        """
        card: ErrorCard = build(cls, facts, "card")
        return card

    def rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """Return the slices as text, in columns called `TITLES`."""
        return [
            (s.by, s.slice, f"{s.rows:,}", f"{s.mape:.2%}", f"{s.bias:+.2%}", f"{s.p95:.2%}")
            for s in self.slices
        ]

    def __str__(self) -> str:
        lines = [TITLES, *self.rows()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(TITLES))]
        text = "\n".join(
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return f"errors on {self.split}\n{text}"


def buckets(
    by: str, values: Array, lows: tuple[int, ...], among: Array
) -> list[tuple[str, str, Array]]:
    """Masks of the rows whose values lie over one bound up to the next."""
    highs = [*lows[1:], None]
    return [
        (
            by,
            f"over {low:,}" if high is None else f"{low + 1:,} to {high:,}",
            among & (values > low) & (values <= (high or np.inf)),
        )
        for low, high in zip(lows, highs, strict=True)
    ]


def slice_errors(by: str, name: str, error: Array) -> ErrorSlice:
    """Summarise relative errors."""
    size = np.abs(error)
    return ErrorSlice(
        by=by,
        slice=name,
        rows=len(error),
        mape=_rounded(size.mean()),
        bias=_rounded(error.mean()),
        p95=_rounded(np.quantile(size, 0.95)),
    )


def sample_points(
    features: Array, measured_s: Array, predicted_s: Array, *, most: int = _MOST_POINTS
) -> tuple[tuple[float, ...], ...]:
    """Choose steps to show: as many of each kind, evenly spaced in the order of their duration.

    Args:
        features: rows of (p, x, n, c).
        measured_s: (rows,) measured durations.
        predicted_s: (rows,) predicted durations.
        most: steps to return at most; a kind with fewer than its part leaves the rest unused.

    Returns:
        The numbers of `POINT` of each, with four significant digits, ordered by kind and duration.

    Example:
        >>> steps = np.array([[0, 0, n, 100 * n] for n in range(1, 100)], float)
        >>> seconds = 0.01 + 0.0001 * steps[:, 2]
        >>> sample_points(steps, seconds, seconds, most=2)
        ((0, 0, 1, 100, 0.0101, 0.0101), (0, 0, 99, 9900, 0.0199, 0.0199))
    """
    kinds = kind_of(features)
    table = np.column_stack([features, measured_s, predicted_s])
    each = most // max(len(np.unique(kinds)), 1)
    points = []
    for kind in np.unique(kinds):
        rows = table[kinds == kind]
        rows = rows[np.lexsort(rows.T[[5, 3, 2, 1, 0, 4]])]
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(each, len(rows))).round().astype(int))
        points += [
            (*(int(_rounded(value)) for value in row[:4]), *(_rounded(value) for value in row[4:]))
            for row in rows[chosen]
        ]
    return tuple(points)


def _rounded(value: float) -> float:
    """Four significant digits: more is noise, and a file is the same on every machine."""
    return float(f"{value:.3e}")
