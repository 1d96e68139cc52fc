"""The terms of a step that a sum of kernel times leaves out, each with its source and an interval.

Kernels are profiled one by one, from one layer, with equal contexts and for an instant. An engine step
also saves the gaps between them where its graph is replayed, waits for the longest context of the
batch, and computes more slowly when it computes for long. `step_terms_kernel` adds them up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.step import CAPTURED_TOKENS, LARGE_TOKENS, TILE_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.fields import Fields

__all__ = ["NO_TERMS", "TERM_TEXTS", "StepTerms", "Term", "parse_terms"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Shape = tuple[float, float, float, float]

TERM_TEXTS = {
    "graph_saving_s": "seconds that the replay of a captured graph saves in a step",
    "longest_context_s": "seconds per token by which the longest decode context exceeds the mean",
    "whole_context_seqs": "decodes from which on attention no longer splits contexts",
    "dense_factor": f"factor on dense operators in steps over {LARGE_TOKENS} tokens",
    "decode_beside_prompt_s": f"seconds per decode beside {TILE_TOKENS} prompt tokens or more",
}
"""The terms by name, in the order in which the kernel reads them."""


@dataclass(frozen=True)
class Term:
    """One number with the interval that it is known to lie in.

    Attributes:
        value: used in predictions.
        low: the least that it may be.
        high: the most.
        source: its measurement, in words; "not measured" where there is none.
    """

    value: float
    low: float
    high: float
    source: str

    def times(self, factor: float) -> Term:
        """Return the same of a multiple."""
        return replace(
            self, value=self.value * factor, low=self.low * factor, high=self.high * factor
        )

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g}): {self.source}"


_NONE = Term(0.0, 0.0, 0.0, "not added")


@dataclass(frozen=True, kw_only=True)
class StepTerms:
    """Seconds of a step (p, x, n, c) beyond its kernels; the mean context is c / n.

        step = kernels - graph_saving_s (if the step is captured)
               + longest_context_s x (longest - mean context)
                 (if n >= whole_context_seqs, or longer than the prompt's own p + x / p tokens)
               + (dense_factor - 1) x dense_s(p + n) (if p + n > 256)
               + decode_beside_prompt_s x n (if p >= 128)

    A FlashAttention 2 kernel cuts contexts into parts that run side by side only while
    sequences x KV heads < 0.8 x 2 x multiprocessors, and never beside a prompt. The last block of that
    walks the prompt and what is cached of it, so a decode that walks less is not waited for.

    Attributes:
        graph_saving_s: see `TERM_TEXTS`; so are the four that follow.
        dense_tokens: totals of tokens at which the time of dense operators is known, rising.
        dense_s: seconds of them in a step, over all layers.

    Example:
        >>> terms = StepTerms(longest_context_s=Term(1e-6, 1e-6, 1e-6, "by hand"))
        >>> more_s, _ = terms.added((0, 0, 2, 1000), longest_context=900)
        >>> round(more_s, 6)
        0.0004
    """

    graph_saving_s: Term = _NONE
    longest_context_s: Term = _NONE
    whole_context_seqs: Term = _NONE
    dense_factor: Term = field(default=Term(1.0, 1.0, 1.0, "not added"))
    decode_beside_prompt_s: Term = _NONE
    dense_tokens: tuple[float, ...] = ()
    dense_s: tuple[float, ...] = ()

    def added(
        self,
        shape: Shape,
        *,
        longest_context: float = 0,
        most_captured: int = CAPTURED_TOKENS,
        fullest_batch_tokens: int = 0,
    ) -> tuple[float, Shape]:
        """Return the seconds that a step takes beyond its kernels, and the shape to which it is padded.

        Args:
            shape: (p, x, n, c), see `workloadlab.latency.FEATURES`.
            longest_context: cached tokens of the decode that has most; 0 if all have as many.
            most_captured: tokens up to which steps are padded to a captured graph, and replay it.
            fullest_batch_tokens: of the ranks that step together, to which all are padded.
        """
        p, x, n, c = map(float, shape)
        if self == NO_TERMS:
            return 0.0, (p, x, n, c)
        from workloadlab.latency.step_terms_kernel import captured_tokens, terms_s

        size = captured_tokens(max(int(p + n), fullest_batch_tokens), most_captured)
        more = terms_s(p, x, n, c / n if n else 0.0, float(longest_context), size > 0, self.table)
        padding = max(0.0, size - (p + n))
        return more, (p + padding, x, n, c) if p else (p, x, n + padding, c)

    def named(self) -> Iterator[tuple[str, Term]]:
        """Return the terms with their names."""
        return ((name, getattr(self, name)) for name in TERM_TEXTS)

    def scaled(self, factor: float) -> StepTerms:
        """Return those of a model whose steps take `factor` times as long."""
        dense_s = tuple(factor * value for value in self.dense_s)
        seconds = ((name, term) for name, term in self.named() if name.endswith("_s"))
        longer: dict[str, Any] = {name: term.times(factor) for name, term in seconds}
        return replace(self, dense_s=dense_s, **longer)

    @cached_property
    def table(self) -> Floats:
        """The terms as the kernel reads them."""
        values = [term.value for _, term in self.named()]
        curve = [len(self.dense_s), *self.dense_tokens, *self.dense_s]
        return np.array([*values, *curve], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        facts: dict[str, Any] = {name: asdict(term) for name, term in self.named()}
        if self.dense_s:
            facts["dense"] = {"tokens": list(self.dense_tokens), "seconds": list(self.dense_s)}
        return facts


NO_TERMS = StepTerms()
"""Nothing is left out: models of whole steps, and those made by hand."""


def parse_terms(take: Fields) -> StepTerms:
    """Read what `StepTerms.to_dict` wrote.

    Raises:
        DataError: a field is missing, unknown or no number; names it.
    """
    take.only((*TERM_TEXTS, "dense"))
    terms: dict[str, Any] = {}
    for name in TERM_TEXTS:
        one = take.inside(name)
        one.only(part.name for part in fields(Term))
        numbers = {part: one.number(part, low=0.0) for part in ("value", "low", "high")}
        if not numbers["low"] <= numbers["value"] <= numbers["high"]:
            raise take.wrong(name, numbers, "write low <= value <= high")
        terms[name] = Term(**numbers, source=one("source", str))
    if "dense" in take.facts:
        curve = take.inside("dense")
        curve.only(("tokens", "seconds"))
        tokens = curve.numbers("tokens", low=0.0, rising=True)
        if len(tokens) < 2:
            raise curve.wrong("tokens", tokens, "write at least two")
        terms["dense_tokens"] = tuple(tokens)
        terms["dense_s"] = tuple(curve.numbers("seconds", count=len(tokens), low=0.0))
    return StepTerms(**terms)
