"""A decoder of a given geometry with random weights, in PyTorch: the work of one engine step.

The layout follows Llama: RMS norm, fused query/key/value product, grouped-query attention over a KV
cache, output product, RMS norm, gated feed-forward; in a mixture of experts every token goes to
`experts_per_token` experts, spread evenly. The vocabulary product runs for the rows that sample.
Rotation of queries and keys is left out: it is one cheap elementwise pass.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.measurement.plan import Shape

__all__ = ["Decoder"]


class Decoder:
    """Weights on one device; `step` makes the function that runs one step of a shape."""

    def __init__(self, geometry: ModelGeometry, dtype: torch.dtype, device: torch.device) -> None:
        self.geometry, self.dtype, self.device = geometry, dtype, device
        self._random = torch.Generator(device=device).manual_seed(0)
        g = geometry
        width = (g.heads + 2 * g.kv_heads) * g.head_dim
        experts = (g.experts,) if g.experts else ()
        self.layers = [
            {
                "qkv": self._weight(g.hidden, width),
                "out": self._weight(g.heads * g.head_dim, g.hidden),
                "up": self._weight(*experts, g.hidden, 2 * g.intermediate),
                "down": self._weight(*experts, g.intermediate, g.hidden),
                "norm": torch.ones(g.hidden, dtype=dtype, device=device),
            }
            for _ in range(g.layers)
        ]
        self.embedding = self._weight(g.vocab, g.hidden)
        self.head = self._weight(g.hidden, g.vocab)

    def _weight(self, *size: int) -> torch.Tensor:
        values = torch.empty(size, dtype=self.dtype, device=self.device)
        return values.normal_(0.0, 1.0 / math.sqrt(size[-2]), generator=self._random)

    def step(self, shape: Shape) -> Callable[[], torch.Tensor]:
        """Allocate the KV cache of a step and return the function that runs it."""
        g = self.geometry
        rows = shape.prefill_tokens + shape.decode_seqs
        tokens = torch.arange(rows, device=self.device) % g.vocab
        chunk = shape.prefill_tokens + shape.cached_tokens
        caches = [
            (
                self._cache(1, chunk) if shape.prefill_tokens else None,
                self._cache(shape.decode_seqs, shape.context_tokens + 1)
                if shape.decode_seqs
                else None,
            )
            for _ in self.layers
        ]
        first = max(shape.prefill_tokens - 1, 0)
        experts = self._even_experts(rows)

        def run() -> torch.Tensor:
            x = self.embedding[tokens]
            for layer, cache in zip(self.layers, caches, strict=True):
                x = x + self._attend(x, layer, cache, shape)
                y = rms_norm(x, (g.hidden,), layer["norm"])
                x = x + (self._mixture(y, layer, experts) if g.experts else self._dense(y, layer))
            return (x[first:] @ self.head).argmax(dim=-1)

        return run

    def _cache(self, seqs: int, tokens: int) -> torch.Tensor:
        g = self.geometry
        size = (2, seqs, g.kv_heads, tokens, g.head_dim)
        return torch.zeros(size, dtype=self.dtype, device=self.device)

    def _attend(
        self, x: torch.Tensor, layer: dict[str, torch.Tensor], cache: Any, shape: Shape
    ) -> torch.Tensor:
        g, prompt = self.geometry, shape.prefill_tokens
        mixed = rms_norm(x, (g.hidden,), layer["norm"]) @ layer["qkv"]
        heads = mixed.view(len(x), g.heads + 2 * g.kv_heads, g.head_dim)
        query, key, value = heads.split([g.heads, g.kv_heads, g.kv_heads], dim=1)
        parts = []
        if cache[0] is not None:
            past = cache[0][:, 0]
            past[0, :, shape.cached_tokens :] = key[:prompt].transpose(0, 1)
            past[1, :, shape.cached_tokens :] = value[:prompt].transpose(0, 1)
            parts.append(self._prefill(query[:prompt], past, shape))
        if cache[1] is not None:
            past = cache[1]
            past[0, :, :, -1], past[1, :, :, -1] = key[prompt:], value[prompt:]
            seen = scaled_dot_product_attention(
                query[prompt:].unsqueeze(2), past[0], past[1], enable_gqa=True
            )
            parts.append(seen.reshape(shape.decode_seqs, -1))
        return torch.cat(parts) @ layer["out"]

    def _prefill(self, query: torch.Tensor, past: torch.Tensor, shape: Shape) -> torch.Tensor:
        q, k, v = query.transpose(0, 1)[None], past[0][None], past[1][None]
        if shape.cached_tokens == 0:
            seen = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            from torch.nn.attention.bias import causal_lower_right

            repeat = self.geometry.heads // self.geometry.kv_heads
            k, v = (part.repeat_interleave(repeat, dim=1) for part in (k, v))
            mask = causal_lower_right(q.shape[2], k.shape[2])
            seen = scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return seen[0].transpose(0, 1).reshape(shape.prefill_tokens, -1)

    @staticmethod
    def _dense(y: torch.Tensor, layer: dict[str, torch.Tensor]) -> torch.Tensor:
        gate, up = (y @ layer["up"]).chunk(2, dim=-1)
        return (silu(gate) * up) @ layer["down"]

    def _even_experts(self, rows: int) -> torch.Tensor | None:
        """Rows of each touched expert, (experts, capacity), every row `experts_per_token` times."""
        g = self.geometry
        if not g.experts:
            return None
        uses = rows * g.experts_per_token
        touched = min(g.experts, uses)
        places = torch.arange(touched * math.ceil(uses / touched), device=self.device) % uses
        return (places // g.experts_per_token).view(-1, touched).T.contiguous()

    @staticmethod
    def _mixture(
        y: torch.Tensor, layer: dict[str, torch.Tensor], experts: torch.Tensor | None
    ) -> torch.Tensor:
        assert experts is not None  # noqa: S101
        touched = len(experts)
        gate, up = torch.bmm(y[experts], layer["up"][:touched]).chunk(2, dim=-1)
        out = torch.bmm(silu(gate) * up, layer["down"][:touched])
        return torch.zeros_like(y).index_add_(0, experts.reshape(-1), out.flatten(0, 1))
