"""Measured terms beyond the kernels, by GPU: a step's time that no profile of single kernels shows.

They come from public tables: LLMServingSim's `perf` and `steps`, and those of Dynamo's planner. None was
fitted to a replay. Where a GPU was not measured its kernels are taken as they are, and the interval says
how far the measured ones lie from theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.step import LARGE_TOKENS
from workloadlab.latency.step_terms import StepTerms, Term

if TYPE_CHECKING:
    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = ["terms_beyond_kernels"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_EAGER_GAP_S = Term(
    17e-6, 8e-6, 23e-6, "LLMServingSim steps, eager less captured: 31 shapes on an RTX PRO 6000"
)
"""Seconds per layer between kernels that are launched one by one, which a captured graph has not."""

_SPLITS_BELOW = 0.8
"""Of the thread blocks that a GPU holds, two on each multiprocessor, FlashAttention 2 fills so many by
cutting contexts; with more sequences it cuts none (`num_splits_heuristic` in flash_fwd_launch)."""

_WALK_S = {
    "RTX PRO 6000": Term(
        14.5e-9, 12.5e-9, 17e-9, "LLMServingSim skew.csv: 6 tables, 1 to 4 times the onset"
    ),
    "RTX 4090": Term(21.5e-9, 18e-9, 25e-9, "LLMServingSim skew.csv, 1 to 4 times the onset"),
}
"""Seconds in which one thread block walks a token of context of one layer, whatever the heads."""

_WALK_UNKNOWN_S = Term(14.5e-9, 0.0, 30e-9, "not measured on this GPU; as on an RTX PRO 6000")

_EVENLY_SHARED = ("H100-SXM", "H100-PCIe", "GH200", "H200", "B200", "MI300X", "TPU v6e", "V100")
"""GPUs whose kernels share contexts out, such as FlashAttention 3, or are none of FlashAttention 2."""

_DENSE = {
    "RTX PRO 6000": Term(
        1.11, 1.07, 1.14, "LLMServingSim steps of 268 and 1,024 tokens against their kernels"
    ),
    "H200": Term(1.075, 1.05, 1.10, "Dynamo planner, prefills of Llama-3.1-8B-FP8 on one H200"),
    "H100-SXM": Term(1.075, 1.0, 1.11, "not measured apart; an H200 computes with the same chip"),
}

_DENSE_UNKNOWN = Term(1.0, 1.0, 1.11, "not measured on this GPU: as its kernels say")

_TILED = ("H100-SXM", "H100-PCIe", "GH200", "H200")
_TILE_S = Term(
    0.375e-6,
    0.0,
    0.47e-6,
    "inference-perf rate sweeps of an H100: 10 to 15 us at 32 layers; not apart",
)
"""Seconds per layer and decode that FlashAttention 3 takes longer beside a prompt, where a decode fills
a tile made for many queries."""

_CURVE_RATIO = 1.1
"""Points of the dense curve are at least so far apart."""


def terms_beyond_kernels(
    gpu: str,
    geometry: ModelGeometry,
    tp: int,
    tokens: Floats,
    dense_us: Floats,
    *,
    eager: bool = False,
) -> StepTerms:
    """Return what a step of a model on a GPU takes beyond its kernels.

    Args:
        gpu: the accelerator; of an unknown one the terms are the unmeasured ones.
        geometry: the model's shape.
        tp: GPUs that share the heads.
        tokens: totals of tokens at which dense operators were measured, rising.
        dense_us: microseconds of those of one layer, experts and attention left out.
        eager: the kernels were launched one by one, with the gaps between them.

    Example:
        >>> from workloadlab.latency import ModelGeometry
        >>> llama = ModelGeometry.named("Llama-3.1-8B")
        >>> tokens = np.array([256.0, 512.0])
        >>> terms = terms_beyond_kernels("RTX PRO 6000", llama, 1, tokens, tokens)
        >>> print(terms.dense_factor)
        1.11 (1.07 to 1.14): LLMServingSim steps of 268 and 1,024 tokens against their kernels
        >>> terms.whole_context_seqs.value
        37.6
    """
    try:
        known = find_gpu(gpu)
    except UsageError:
        return StepTerms(dense_factor=_DENSE_UNKNOWN)
    walk, onset = _longest(known.name, known.multiprocessors, geometry, tp)
    tiled = _TILE_S.times(geometry.layers) if known.name in _TILED else _UNTILED
    kept = _thinned(tokens)
    return StepTerms(
        graph_saving_s=_EAGER_GAP_S.times(geometry.layers) if eager else _NOT_EAGER,
        longest_context_s=walk.times(geometry.layers),
        whole_context_seqs=onset,
        dense_factor=_DENSE.get(known.name, _DENSE_UNKNOWN),
        decode_beside_prompt_s=tiled,
        dense_tokens=tuple(tokens[kept].tolist()),
        dense_s=tuple(_rounded(value) for value in geometry.layers * dense_us[kept] * 1e-6),
    )


_NOT_EAGER = Term(0.0, 0.0, 0.0, "the kernels were timed without gaps")
_UNTILED = Term(0.0, 0.0, 0.0, "its kernel takes decodes as they are, and was timed beside prompts")
_SHARED = Term(0.0, 0.0, 0.0, "its attention kernels share contexts out evenly")


def _longest(gpu: str, multiprocessors: int, geometry: ModelGeometry, tp: int) -> tuple[Term, Term]:
    """Return seconds per token and layer of the longest context, and from how many sequences on."""
    if gpu in _EVENLY_SHARED:
        return _SHARED, _SHARED
    onset = _rounded(_SPLITS_BELOW * 2 * multiprocessors / max(1.0, geometry.kv_heads / tp))
    rule = f"{_SPLITS_BELOW} x 2 x {multiprocessors} multiprocessors / KV heads of a GPU"
    return _WALK_S.get(gpu, _WALK_UNKNOWN_S), Term(onset, onset, onset, rule)


def _thinned(tokens: Floats) -> list[int]:
    """Choose the points of the curve: none that lie before it is used, but the last of those."""
    kept: list[int] = []
    first = max(0, int(np.searchsorted(tokens, LARGE_TOKENS, side="right")) - 1)
    for index in range(first, len(tokens)):
        if not kept or tokens[index] >= _CURVE_RATIO * tokens[kept[-1]]:
            kept.append(index)
    last = len(tokens) - 1
    return kept if kept[-1] == last else [*kept, last]


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
