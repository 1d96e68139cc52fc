"""The shapes of transformer models that a latency table or a KV-cache budget needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.json_files import read_object

__all__ = ["ModelGeometry"]


@dataclass(frozen=True, kw_only=True)
class ModelGeometry:
    """Layer count and widths of one model, as its `config.json` gives them.

    Attributes:
        model: Hugging Face id, such as `meta-llama/Llama-3.1-8B`.
        layers: decoder layers.
        hidden: width of the residual stream.
        heads: attention heads.
        kv_heads: key/value heads (fewer than `heads` with grouped-query attention).
        head_dim: width of one head.
        intermediate: width of the feed-forward block; of one expert where there are experts.
        vocab: vocabulary size.
        context: most tokens of a request, None where it is not known; of models whose `-Instruct` has
            another, the base model's.
        experts: routed experts per layer, 0 for a dense model.
        experts_per_token: experts that each token activates, 0 for a dense model.
        dtype: of the weights, such as `bf16` or `fp8`.
        tied: the output head is the embedding.

    Example:
        >>> geometry = ModelGeometry.named("Llama-3.1-8B")
        >>> geometry.layers, geometry.kv_bytes_per_token()
        (32, 131072)
    """

    model: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    context: int | None = None
    experts: int = 0
    experts_per_token: int = 0
    dtype: str = "bf16"
    tied: bool = False

    @classmethod
    def named(cls, model: str) -> ModelGeometry:
        """Look up a built-in model by its id or the last part of it, in any case.

        An ending such as `-Instruct` or `-hf` does not matter: the shape is the same.

        Raises:
            UsageError: the model is not built in; the message names the nearest ones.
        """
        by_name = {_plain(known): known for known in _KNOWN}
        known = by_name.get(_plain(model))
        if known is None:
            raise UsageError(
                f"the shape of {model!r} is not built in",
                fix=f"{did_you_mean(model, _KNOWN)} Otherwise put the model's Hugging Face config.json "
                "into the folder",
            )
        sizes: dict[str, Any] = dict(zip(_FIELDS, _KNOWN[known], strict=False))
        return cls(model=known, **sizes)

    @classmethod
    def from_config(cls, path: str | Path, *, model: str | None = None) -> ModelGeometry:
        """Read a local Hugging Face `config.json`.

        Args:
            path: the file.
            model: the model's name; the config's `_name_or_path` or the folder's name otherwise.

        Raises:
            UsageError: no such file.
            DataError: not JSON, or a size is missing or not a positive whole number.
            UnsupportedError: keys and values are kept in a compressed form (`kv_lora_rank`).
        """
        path = Path(path)
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="name a Hugging Face config.json")
        facts = read_object(path, fix=_DOWNLOAD)
        name = model or facts.get("_name_or_path") or path.resolve().parent.name
        facts = facts.get("text_config", facts)
        if facts.get("kv_lora_rank"):
            raise UnsupportedError(
                "keeps compressed keys and values (kv_lora_rank), which these sizes do not describe",
                where=str(path),
                fix="fit a step table that was measured with this model",
            )

        def size(*keys: str, default: int | None = None) -> int:
            return _size(facts, keys, default, path)

        heads, hidden = size("num_attention_heads"), size("hidden_size")
        experts = size("num_experts", "num_local_experts", "n_routed_experts", default=0)
        widths = ("moe_intermediate_size",) if experts else ()
        return cls(
            model=str(name),
            layers=size("num_hidden_layers"),
            hidden=hidden,
            heads=heads,
            kv_heads=size("num_key_value_heads", default=heads),
            head_dim=size("head_dim", default=hidden // heads),
            intermediate=size(*widths, "intermediate_size"),
            vocab=size("vocab_size"),
            context=_context(facts),
            experts=experts,
            experts_per_token=size("num_experts_per_tok", default=0 if not experts else None),
            dtype=_dtype(facts),
            tied=facts.get("tie_word_embeddings") is True,
        )

    def kv_bytes_per_token(self, bytes_per_value: int = 2) -> int:
        """Bytes that one cached token takes over all layers: keys and values of every KV head."""
        return 2 * self.layers * self.kv_heads * self.head_dim * bytes_per_value

    def parameters(self) -> int:
        """Weights of the model: embedding, output head, attention and gated feed-forward blocks.

        Norms and biases, below 0.1 %, are left out.

        Example:
            >>> round(ModelGeometry.named("Llama-3.1-8B").parameters() / 1e9, 2)
            8.03
        """
        return self._parameters(self.experts)

    def active_parameters(self) -> int:
        """Weights that one token meets: all of them, or its share of a mixture of experts."""
        return self._parameters(self.experts_per_token)

    def expert_parameters(self) -> int:
        """Weights of the routed experts, 0 for a dense model."""
        return self.layers * self.experts * self._feed_forward

    @property
    def _feed_forward(self) -> int:
        """Weights of one gated feed-forward block, or of one expert."""
        return 3 * self.hidden * self.intermediate

    def _parameters(self, experts: int) -> int:
        attention = self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)
        feed_forward = self._feed_forward * max(experts, 1)
        router = self.hidden * self.experts
        return self.layers * (attention + feed_forward + router) + self.end_parameters()

    def end_parameters(self) -> int:
        """Weights of the embedding and the output head."""
        return (1 if self.tied else 2) * self.vocab * self.hidden

    def weight_bytes(self, bytes_per_value: float = 2.0) -> float:
        """Bytes of all weights; embedding and output head stay at two bytes or more."""
        ends = self.end_parameters()
        return (self.parameters() - ends) * bytes_per_value + ends * max(bytes_per_value, 2.0)


def _size(facts: dict[str, Any], keys: tuple[str, ...], default: int | None, path: Path) -> int:
    value = next((facts[key] for key in keys if facts.get(key) is not None), default)
    if value is None:
        raise DataError(f"lacks {' or '.join(keys)}", where=str(path), fix=_DOWNLOAD)
    if not isinstance(value, int) or isinstance(value, bool) or (value <= 0 and value != default):
        raise DataError(
            f"{keys[0]} is {value!r}, not a positive whole number", where=str(path), fix=_DOWNLOAD
        )
    return value


def _plain(name: str) -> str:
    plain = name.lower().rsplit("/", 1)[-1].removeprefix("meta-")
    for ending in ("-fp8", "-hf", "-instruct"):
        plain = plain.removesuffix(ending)
    return plain


def _dtype(facts: dict[str, Any]) -> str:
    quantized = facts.get("quantization_config") or {}
    method = str(quantized.get("quant_method", "")).lower() if isinstance(quantized, dict) else ""
    if method in _QUANTIZED:
        return _QUANTIZED[method]
    return _STORED.get(str(facts.get("torch_dtype") or facts.get("dtype")), "bf16")


def _context(facts: dict[str, Any]) -> int | None:
    """Return the longest context as vLLM derives it; a stretched rotary embedding reaches farther."""
    most = facts.get("max_position_embeddings")
    if not isinstance(most, int):
        return None
    rope = facts.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type")) not in _STRETCHED:
        return most
    return int(rope.get("original_max_position_embeddings", most) * rope.get("factor", 1.0))


_STRETCHED = ("yarn", "linear", "dynamic")
_QUANTIZED = {"fp8": "fp8", "awq": "int4", "gptq": "int4", "mxfp4": "fp4", "nvfp4": "fp4"}
_STORED = {"float16": "fp16", "float32": "fp32", "bfloat16": "bf16"}

_DOWNLOAD = "take the config.json from the model's page on huggingface.co"

_FIELDS = (
    "layers",
    "hidden",
    "heads",
    "kv_heads",
    "head_dim",
    "intermediate",
    "vocab",
    "context",
    "experts",
    "experts_per_token",
)

# Each row is the config.json of the model of that id on huggingface.co.
_KNOWN: dict[str, tuple[int, ...]] = {
    "codellama/CodeLlama-34b-Instruct-hf": (48, 8192, 64, 8, 128, 22016, 32000, 16384),
    "meta-llama/Llama-2-7b-hf": (32, 4096, 32, 32, 128, 11008, 32000, 4096),
    "meta-llama/Llama-2-13b-hf": (40, 5120, 40, 40, 128, 13824, 32000, 4096),
    "meta-llama/Llama-2-70b-hf": (80, 8192, 64, 8, 128, 28672, 32000, 4096),
    "meta-llama/Meta-Llama-3-8B": (32, 4096, 32, 8, 128, 14336, 128256, 8192),
    "meta-llama/Meta-Llama-3-70B": (80, 8192, 64, 8, 128, 28672, 128256, 8192),
    "meta-llama/Llama-3.1-8B": (32, 4096, 32, 8, 128, 14336, 128256, 131072),
    "meta-llama/Llama-3.1-70B": (80, 8192, 64, 8, 128, 28672, 128256, 131072),
    "meta-llama/Llama-3.3-70B-Instruct": (80, 8192, 64, 8, 128, 28672, 128256, 131072),
    "meta-llama/Llama-3.1-405B": (126, 16384, 128, 8, 128, 53248, 128256, 131072),
    "mistralai/Mistral-7B-v0.1": (32, 4096, 32, 8, 128, 14336, 32000, 32768),
    "mistralai/Mixtral-8x7B-v0.1": (32, 4096, 32, 8, 128, 14336, 32000, 32768, 8, 2),
    "mistralai/Mixtral-8x22B-v0.1": (56, 6144, 48, 8, 128, 16384, 32000, 65536, 8, 2),
    "microsoft/Phi-mini-MoE-instruct": (32, 4096, 32, 8, 128, 960, 32064, 4096, 16, 2),
    "Qwen/Qwen2-7B": (28, 3584, 28, 4, 128, 18944, 152064, 131072),
    "Qwen/Qwen2.5-7B": (28, 3584, 28, 4, 128, 18944, 152064, 131072),
    "Qwen/Qwen2.5-32B": (64, 5120, 40, 8, 128, 27648, 152064, 131072),
    "Qwen/Qwen2.5-72B": (80, 8192, 64, 8, 128, 29568, 152064, 131072),
    "Qwen/Qwen3-8B": (36, 4096, 32, 8, 128, 12288, 151936, 40960),
    "Qwen/Qwen3-14B": (40, 5120, 40, 8, 128, 17408, 151936, 40960),
    "Qwen/Qwen3-32B": (64, 5120, 64, 8, 128, 25600, 151936, 40960),
    "Qwen/Qwen3-30B-A3B": (48, 2048, 32, 4, 128, 768, 151936, 40960, 128, 8),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": (48, 2048, 32, 4, 128, 768, 151936, 262144, 128, 8),
    "Qwen/Qwen3-235B-A22B": (94, 4096, 64, 4, 128, 1536, 151936, 40960, 128, 8),
}
