"""The compiled twin of `Domain.contains`, for the simulator's step loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloadlab.jit import entry

if TYPE_CHECKING:
    import numpy as np

__all__ = ["inside_domain"]


@entry("boolean(float64, float64, float64, float64, float64[:, :, ::1])")
def inside_domain(
    prefill_tokens: float,
    prefill_context_tokens: float,
    decode_seqs: float,
    decode_context_tokens: float,
    bounds: np.ndarray[Any, np.dtype[np.float64]],
) -> bool:
    """Say whether a step lies within the box of its kind; `bounds` is `Domain.bounds()`."""
    kind = 0
    if prefill_tokens > 0.0:
        kind = 2 if decode_seqs > 0.0 else 1
    box = bounds[kind]
    total = prefill_tokens + decode_seqs
    return bool(
        box[0, 0] <= prefill_tokens <= box[0, 1]
        and box[1, 0] <= prefill_context_tokens <= box[1, 1]
        and box[2, 0] <= decode_seqs <= box[2, 1]
        and box[3, 0] <= decode_context_tokens <= box[3, 1]
        and box[4, 0] <= total <= box[4, 1]
    )
