"""Which steps to measure: a log-spaced grid, then more where a fit of it is wrong."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Limits", "Shape", "planned", "refined"]


@dataclass(frozen=True, order=True)
class Shape:
    """One step to measure: a chunk of one prompt, and sequences of one length that decode.

    Attributes:
        prefill_tokens: tokens of the chunk, 0 for none.
        cached_tokens: tokens of its prompt that earlier chunks computed.
        decode_seqs: sequences that decode.
        context_tokens: tokens that each of them has cached.
    """

    prefill_tokens: int
    cached_tokens: int
    decode_seqs: int
    context_tokens: int

    @property
    def kv_tokens(self) -> int:
        """Tokens of KV cache that the step touches."""
        chunk = self.prefill_tokens + self.cached_tokens
        return chunk + self.decode_seqs * (self.context_tokens + bool(self.decode_seqs))

    @property
    def features(self) -> tuple[int, int, int, int]:
        """The step as a row of the step table."""
        return (
            self.prefill_tokens,
            self.prefill_tokens * self.cached_tokens,
            self.decode_seqs,
            self.decode_seqs * self.context_tokens,
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest sizes of the grid.

    Attributes:
        seqs: most decoding sequences.
        chunk_tokens: most tokens of a prefill chunk.
        context_tokens: most tokens of one sequence.
        kv_tokens: most tokens of KV cache in one step: those that fit into memory.
    """

    seqs: int = 256
    chunk_tokens: int = 2048
    context_tokens: int = 8192
    kv_tokens: int = 400_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise UsageError(f"the limit {name} is {value}", fix="use 1 or more")

    def allow(self, shape: Shape) -> bool:
        """Say whether the step lies within the limits and holds work."""
        return (
            shape.prefill_tokens + shape.decode_seqs > 0
            and shape.prefill_tokens <= self.chunk_tokens
            and shape.decode_seqs <= self.seqs
            and shape.prefill_tokens + shape.cached_tokens <= self.context_tokens
            and shape.context_tokens <= self.context_tokens
            and shape.kv_tokens <= self.kv_tokens
        )


def planned(limits: Limits) -> list[Shape]:
    """Return the first grid: powers of two and four up to the limits, in a fixed mixed order.

    Decode steps over sequences x context; prefill steps over chunk x cached; mixed steps over a
    coarser grid of all four. The order is a fixed shuffle, so that drift of the clocks does not
    look like an effect of size, and an interrupted run has seen a bit of everything.

    Example:
        >>> grid = planned(Limits(seqs=2, chunk_tokens=16, context_tokens=64))
        >>> len(grid), all(Limits(seqs=2).allow(shape) for shape in grid)
        (5, True)
    """
    seqs = _powers(1, limits.seqs, 2)
    contexts = _powers(64, limits.context_tokens, 4)
    chunks = _powers(16, limits.chunk_tokens, 2)
    cached = [0, *_powers(512, limits.context_tokens, 4)]
    shapes = {Shape(0, 0, n, c) for n, c in product(seqs, contexts)}
    shapes |= {Shape(p, x, 0, 0) for p, x in product(chunks, cached)}
    mixed = product(
        _powers(16, limits.chunk_tokens, 8), cached[::2],
        _powers(1, limits.seqs, 4), _powers(64, limits.context_tokens, 16),
    )  # fmt: skip
    shapes |= {Shape(*shape) for shape in mixed}
    allowed = sorted(shape for shape in shapes if limits.allow(shape))
    order = np.random.default_rng(0).permutation(len(allowed))
    return [allowed[i] for i in order]


def refined(measured: Mapping[Shape, float], limits: Limits, *, most: int) -> list[Shape]:
    """Return up to `most` new shapes between those at which a fit of the others is most wrong.

    The linear estimator is fitted on all measured shapes; each of the worst is joined with its
    nearest measured neighbour along every axis, and the geometric middle is new.

    Args:
        measured: seconds by shape.
        limits: of the grid.
        most: number of shapes to return.
    """
    from workloadlab.latency.estimators.linear import design_matrix, fit_coefficients

    shapes = sorted(measured)
    if len(shapes) < 8:
        return []
    features = np.array([shape.features for shape in shapes], float)
    seconds = np.array([measured[shape] for shape in shapes])
    coefficients = fit_coefficients(features, seconds)
    predicted = design_matrix(features) @ np.array(list(coefficients.values()))
    worst = np.argsort(-np.abs(predicted / seconds - 1), kind="stable")
    found: dict[Shape, None] = {}
    for index in worst:
        for middle in _middles(shapes[index], shapes):
            if middle not in measured and limits.allow(middle):
                found[middle] = None
        if len(found) >= most:
            break
    return list(found)[:most]


def _middles(shape: Shape, shapes: Iterable[Shape]) -> list[Shape]:
    """Geometric middles of a shape and its next neighbour up and down along each axis."""
    own = astuple(shape)
    middles = []
    for axis in range(4):
        line = sorted(
            astuple(other)[axis]
            for other in shapes
            if all(
                a == b
                for i, (a, b) in enumerate(zip(own, astuple(other), strict=True))
                if i != axis
            )
        )
        at = line.index(own[axis])
        for other in (*line[max(at - 1, 0) : at], *line[at + 1 : at + 2]):
            if other > 0 and own[axis] > 0:
                middle = round(float(np.sqrt(other * own[axis])))
                values: list[Any] = [*own[:axis], middle, *own[axis + 1 :]]
                middles.append(Shape(*values))
    return middles


def _powers(first: int, last: int, factor: int) -> list[int]:
    """Return first, first * factor, ... and the last itself."""
    values = []
    while first < last:
        values.append(first)
        first *= factor
    return [*values, last]
