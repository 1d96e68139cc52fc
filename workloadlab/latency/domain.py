"""Where a latency model was fitted: one box of step features per kind of step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["DOMAIN_FEATURES", "KINDS", "Domain", "kind_of"]

Array = np.ndarray[Any, np.dtype[Any]]

KINDS = ("decode", "prefill", "mixed")
"""Kinds of step: decodes only, prefill only, both."""

DOMAIN_FEATURES = (
    "prefill_tokens",
    "prefill_context_tokens",
    "decode_seqs",
    "decode_context_tokens",
    "total_tokens",
)


def kind_of(features: Array) -> Array:
    """Index into `KINDS` of every row of (p, x, n, c)."""
    prefill = features[:, 0] > 0
    kinds: Array = prefill.astype(np.int64) + (prefill & (features[:, 2] > 0))
    return kinds


@dataclass(frozen=True)
class Domain:
    """Smallest and largest value of each step feature that the fit saw, per kind of step.

    A kind that the fit did not see has no box: every step of that kind is outside.

    Attributes:
        boxes: kind -> feature -> (low, high), both inclusive; features are `DOMAIN_FEATURES`.

    Example:
        >>> import numpy as np
        >>> domain = Domain.of(np.array([[0.0, 0, 1, 100], [0.0, 0, 64, 50_000]]))
        >>> domain.contains(np.array([[0.0, 0, 8, 4000], [0.0, 0, 65, 4000], [512.0, 0, 0, 0]]))
        array([ True, False, False])
    """

    boxes: dict[str, dict[str, tuple[float, float]]]

    @classmethod
    def of(cls, features: Array) -> Domain:
        """Bound rows of (p, x, n, c)."""
        kinds = kind_of(features)
        wide = np.column_stack([features, features[:, 0] + features[:, 2]])
        boxes = {}
        for index, kind in enumerate(KINDS):
            rows = wide[kinds == index]
            if len(rows):
                bounds = zip(rows.min(axis=0), rows.max(axis=0), strict=True)
                boxes[kind] = {
                    name: (float(low), float(high))
                    for name, (low, high) in zip(DOMAIN_FEATURES, bounds, strict=True)
                }
        return cls(boxes)

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
