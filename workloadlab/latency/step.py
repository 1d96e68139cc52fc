"""The numbers that describe an engine step, and the kinds of steps."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["CAPTURED_TOKENS", "FEATURES", "KINDS", "LARGE_TOKENS", "TILE_TOKENS", "kind_of"]

Array = np.ndarray[Any, np.dtype[Any]]

FEATURES = (
    "prefill_tokens",
    "prefill_context_tokens",
    "decode_seqs",
    "decode_context_tokens",
)
"""The columns of a row (p, x, n, c); see `workloadlab.latency.SAMPLE_COLUMNS`."""

KINDS = ("decode", "prefill", "mixed")
"""Kinds of step: decodes only, prefill only, both."""

CAPTURED_TOKENS = 512
"""The largest batch of which vLLM captures a graph, if it runs at least half as many sequences."""

LARGE_TOKENS = 256
"""Beyond so many tokens a step computes for long enough to compute more slowly."""

TILE_TOKENS = 128
"""Queries that an attention kernel made for prompts works on at a time."""


def kind_of(features: Array) -> Array:
    """Index into `KINDS` of every row of (p, x, n, c)."""
    prefill = features[:, 0] > 0
    kinds: Array = prefill.astype(np.int64) + (prefill & (features[:, 2] > 0))
    return kinds
