"""The terms of a step that a sum of kernel times leaves out, each with its source and an interval.

Kernels are profiled one by one, from one layer, with equal contexts and for an instant. An engine step
also saves the gaps between them where its graph is replayed, waits for the longest context of the
batch, and computes more slowly when it computes for long. `step_terms_kernel` adds them up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.step_terms_kernel import LARGE_TOKENS, TERM_CELLS, TILE_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.latency.fields import Fields

__all__ = ["NO_TERMS", "TERM_TEXTS", "StepTerms", "Term", "parse_terms"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

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
    """Seconds of a step beyond its kernels; p prompt tokens and n decodes whose contexts have a mean.

        step = kernels - graph_saving_s (if the step is captured)
               + longest_context_s x (longest - mean context)
                 (if p > 0 or n >= whole_context_seqs: contexts are walked whole)
               + (dense_factor - 1) x dense_s(p + n) (if p + n > 256)
               + decode_beside_prompt_s x n (if p >= 128)

    A FlashAttention 2 kernel cuts contexts into parts that run side by side only while
    sequences x KV heads < 0.8 x 2 x multiprocessors, and never beside a prompt.

    Attributes:
        graph_saving_s: see `TERM_TEXTS`; so are the four that follow.
        dense_tokens: totals of tokens at which the time of dense operators is known, rising.
        dense_s: seconds of them in a step, over all layers.

    Example:
        >>> terms = StepTerms(longest_context_s=Term(1e-6, 1e-6, 1e-6, "by hand"))
        >>> round(terms.step_s(decode_seqs=2, mean_context=500, longest_context=900), 6)
        0.0004
    """

    graph_saving_s: Term = _NONE
    longest_context_s: Term = _NONE
    whole_context_seqs: Term = _NONE
    dense_factor: Term = field(default=Term(1.0, 1.0, 1.0, "not added"))
    decode_beside_prompt_s: Term = _NONE
    dense_tokens: tuple[float, ...] = ()
    dense_s: tuple[float, ...] = ()

    def step_s(
        self,
        *,
        prefill_tokens: float = 0,
        decode_seqs: float = 0,
        mean_context: float = 0,
        longest_context: float = 0,
        captured: bool = False,
    ) -> float:
        """Return the seconds that they add to a step together; fewer than 0 where they save some."""
        from workloadlab.latency.step_terms_kernel import terms_s

        shape = map(float, (prefill_tokens, decode_seqs, mean_context, longest_context))
        return float(terms_s(*shape, captured, self.table()))

    def named(self) -> Iterator[tuple[str, Term]]:
        """Return the terms with their names."""
        return ((name, getattr(self, name)) for name in TERM_TEXTS)

    def scaled(self, factor: float) -> StepTerms:
        """Return those of a model whose steps take `factor` times as long."""
        seconds = {name: term.times(factor) for name, term in self.named() if name.endswith("_s")}
        return replace(self, **seconds, dense_s=tuple(factor * value for value in self.dense_s))

    def table(self) -> Floats:
        """Lay them out for `terms_s`."""
        table = np.zeros(TERM_CELLS + 2 * len(self.dense_s))
        table[: len(TERM_TEXTS)] = [term.value for _, term in self.named()]
        table[TERM_CELLS - 1] = len(self.dense_s)
        table[TERM_CELLS:] = (*self.dense_tokens, *self.dense_s)
        return table

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
        dense = take.inside("dense")
        dense.only(("tokens", "seconds"))
        tokens = dense.numbers("tokens", low=0.0, rising=True)
        terms["dense_tokens"] = tuple(tokens)
        terms["dense_s"] = tuple(dense.numbers("seconds", count=len(tokens), low=0.0))
    if len(terms.get("dense_s", (0, 0))) < 2:
        raise take.wrong("dense", take.facts["dense"], "write at least two points")
    return StepTerms(**terms)
