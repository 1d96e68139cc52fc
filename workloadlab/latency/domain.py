"""Where a latency model was fitted: one box of step features per kind of step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workloadlab.latency.step import FEATURES, KINDS, kind_of

__all__ = ["DOMAIN_FEATURES", "Domain"]

Array = np.ndarray[Any, np.dtype[Any]]

DOMAIN_FEATURES = (*FEATURES, "total_tokens")


@dataclass(frozen=True)
class Domain:
    """Smallest and largest value of each step feature that the fit saw, per kind of step.

    A kind that the fit did not see has no box: every step of that kind is outside.

    A box may be hollow, so `cells` says where in it the steps lie. A cell spans a factor of four
    along each of prefill tokens, mean cached tokens, decoding sequences and mean context.

    Attributes:
        boxes: kind -> feature -> (low, high), both inclusive; features are `DOMAIN_FEATURES`.
        cells: kind -> codes of the cells with at least one step, rising; empty if not recorded.

    Example:
        >>> import numpy as np
        >>> domain = Domain.of(np.array([[0.0, 0, 1, 100], [0.0, 0, 64, 50_000]]))
        >>> domain.contains(np.array([[0.0, 0, 8, 4000], [0.0, 0, 65, 4000], [512.0, 0, 0, 0]]))
        array([ True, False, False])
        >>> domain.is_dense(np.array([[0.0, 0, 60, 48_000], [0.0, 0, 8, 4000]]))
        array([ True, False])
    """

    boxes: dict[str, dict[str, tuple[float, float]]]
    cells: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, features: Array) -> Domain:
        """Bound rows of (p, x, n, c)."""
        kinds = kind_of(features)
        wide = np.column_stack([features, features[:, 0] + features[:, 2]])
        codes = _cells(features)
        boxes, cells = {}, {}
        for index, kind in enumerate(KINDS):
            rows = wide[kinds == index]
            if len(rows):
                bounds = zip(rows.min(axis=0), rows.max(axis=0), strict=True)
                boxes[kind] = {
                    name: (float(low), float(high))
                    for name, (low, high) in zip(DOMAIN_FEATURES, bounds, strict=True)
                }
                cells[kind] = tuple(np.unique(codes[kinds == index]).tolist())
        return cls(boxes, cells)

    def bounds(self) -> Array:
        """Return (3 kinds, 5 features, low and high); an unseen kind has low > high."""
        table = np.empty((len(KINDS), len(DOMAIN_FEATURES), 2))
        table[:, :, 0], table[:, :, 1] = np.inf, -np.inf
        for kind, box in self.boxes.items():
            table[KINDS.index(kind)] = [box[name] for name in DOMAIN_FEATURES]
        return table

    def contains(self, features: Array) -> Array:
        """Say for every row of (p, x, n, c) whether it lies within the box of its kind."""
        box = self.bounds()[kind_of(features)]
        wide = np.column_stack([features, features[:, 0] + features[:, 2]])
        return np.asarray(((wide >= box[:, :, 0]) & (wide <= box[:, :, 1])).all(axis=1))

    def is_dense(self, features: Array) -> Array:
        """Say for every row of (p, x, n, c) whether the fit saw a step in its cell."""
        kinds, codes = kind_of(features), _cells(features)
        dense = np.zeros(len(features), bool)
        for index, kind in enumerate(KINDS):
            of_kind = kinds == index
            dense[of_kind] = np.isin(codes[of_kind], self.cells.get(kind, ()))
        return dense


def _cells(features: Array) -> Array:
    """Code of the cell of every row of (p, x, n, c)."""
    p, x, n, c = features.T
    mean_cached = np.divide(x, p, out=np.zeros_like(x, dtype=np.float64), where=p > 0)
    mean_context = np.divide(c, n, out=np.zeros_like(c, dtype=np.float64), where=n > 0)
    codes = np.zeros(len(features), np.int64)
    for values in (p, mean_cached, n, mean_context):
        codes = codes * 32 + np.rint(np.log2(1.0 + values) / 2).astype(np.int64)
    return codes
