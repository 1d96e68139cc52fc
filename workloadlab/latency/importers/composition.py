"""Steps composed from what one GPU takes for the parts of one, and the steps worth composing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.latency.importers.beyond_kernels import terms_beyond_kernels
from workloadlab.latency.step import kind_of

if TYPE_CHECKING:
    from workloadlab.latency.hardware.collectives import Exchanges
    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.importers.attention import Attention
    from workloadlab.latency.step_terms import StepTerms

__all__ = ["MAX_CONTEXT", "StepCosts", "step_frame", "steps_to_compose"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

# Sizes that engines visit, no larger than those that were measured. Totals are measured counts, since
# dense operators jump between them; a chunk is the rest that the decodes leave of its total.
_DECODE_SEQS = (*range(1, 17), *range(20, 65, 4), *range(80, 257, 16))
_MIXED_SEQS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
_MIXED_TOTALS = (2, 4, 8, *range(16, 161, 16), 192, 224, *range(256, 2049, 64))
_DECODE_KV = (1, 64, 128, 256, *range(384, 1025, 128), 1280, 1536, *range(2048, 4097, 1024))
_DECODE_KV_LONG = (6144, 8192, 12288, 16384)
_MIXED_KV = (1, 128, 256, 512, 768, 1024, 1536, 2048, 4096, 8192)
_CACHED = (0, 128, 512, 1024, 2048, 4096, 8192, 16384)
_MIXED_CACHED = (0, 512, 2048, 8192)
MAX_CONTEXT = 524_288  # tokens of KV cache: what 64 GiB hold at Llama-3.1-8B's 128 KiB a token
_MICROSECOND = 1_000  # ns


@dataclass(frozen=True, kw_only=True)
class StepCosts:
    """Microseconds of the parts of a step, from tables of prefill and decode kernels.

        step = layers x (layer_us + attention) + once_us + head_us + collectives

    Attributes:
        geometry: the model's shape.
        tp: tensor-parallel degree.
        tokens: measured token counts.
        layer_us: all but attention of one layer, at `tokens`.
        once_us: operators that run once per step, at `tokens`.
        sequences: counts of sequences of which the output head is known.
        head_us: output head and sampler at `sequences`.
        attention: of one layer.
        exchanges: between the GPUs, or None on one.
    """

    geometry: ModelGeometry
    tp: int
    tokens: Floats
    layer_us: Floats
    once_us: Floats
    sequences: Floats
    head_us: Floats
    attention: Attention
    exchanges: Exchanges | None = None

    def step_ns(self, steps: Floats) -> Floats:
        """Nanoseconds of steps given as rows of (chunk, cached, decode_seqs, kv per sequence)."""
        chunk, _, seqs, _ = steps.T
        total = chunk + seqs
        layer = np.interp(total, self.tokens, self.layer_us) + self.attention(steps)
        once = np.interp(total, self.tokens, self.once_us)
        sampled = seqs + (chunk > 0)
        once = once + np.interp(sampled, self.sequences, self.head_us)
        if self.exchanges:
            once = once + self.exchanges.step_us(self.geometry, total, sampled)
        ns: Floats = (self.geometry.layers * layer + once) * _MICROSECOND
        return ns

    def terms(self, gpu: str) -> StepTerms:
        """Return what these kernels leave out; of layers with experts none is counted as dense."""
        layer = self.layer_us if not self.geometry.experts else np.zeros(len(self.tokens))
        return terms_beyond_kernels(gpu, self.geometry, self.tp, self.tokens, layer)

    def frame(self, gpu: str) -> pl.DataFrame:
        """Compose the step table."""
        steps = steps_to_compose(
            self.tokens,
            self.sequences[-1],
            self.attention.largest,
            max_context=min(self.attention.max_context, MAX_CONTEXT),
        )
        return step_frame(
            steps, self.step_ns(steps), gpu=gpu, model=self.geometry.model, tp=self.tp
        )


def steps_to_compose(
    tokens: Floats, most_sequences: float, largest: Floats, *, max_context: float = MAX_CONTEXT
) -> Floats:
    """Rows of (chunk, cached tokens, decode sequences, context of each) within what was measured.

    Args:
        tokens: measured token counts.
        most_sequences: largest measured count of sequences.
        largest: (3 kinds of step, 4 axes).
        max_context: most cached tokens of all decodes together.
    """

    def grid(*axes: Any) -> Floats:
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))

    decode = grid([0.0], [0.0], _DECODE_SEQS, (*_DECODE_KV, *_DECODE_KV_LONG))
    prefill = grid(tokens, _CACHED, [0.0], [0.0])
    totals = np.intersect1d(_MIXED_TOTALS, tokens)
    mixed = grid(totals, _MIXED_CACHED, _MIXED_SEQS, _MIXED_KV)
    mixed[:, 0] -= mixed[:, 2]
    steps = np.vstack([decode, prefill, mixed[mixed[:, 0] > 0]])
    chunk, _, seqs, kv = steps.T
    kept = (
        (steps <= largest[kind_of(steps)]).all(axis=1)
        & (chunk + seqs <= tokens[-1])
        & (seqs + (chunk > 0) <= most_sequences)
        & (seqs * kv <= max_context)
    )
    visited: Floats = steps[kept]
    return visited


def step_frame(steps: Floats, latency_ns: Floats, *, gpu: str, model: str, tp: int) -> pl.DataFrame:
    """Lay composed steps out as a step table; `group` is (prefill tokens, decode sequences)."""
    prefill, cached, seqs, context = steps.T.astype(np.int64)
    return pl.DataFrame(
        {
            "prefill_tokens": prefill,
            "prefill_context_tokens": prefill * cached,
            "decode_seqs": seqs,
            "decode_context_tokens": seqs * context,
            "latency_ns": np.rint(latency_ns).astype(np.int64),
        }
    ).with_columns(
        gpu=pl.lit(gpu),
        model=pl.lit(model),
        tp=pl.lit(tp, pl.Int64),
        group=pl.format("{}+{}", "prefill_tokens", "decode_seqs"),
    )
