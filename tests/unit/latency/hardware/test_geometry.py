"""Model shapes: the built-in ones and a local config.json."""

from __future__ import annotations

import json

import pytest

from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.latency import ModelGeometry

QWEN3_32B = {
    "num_hidden_layers": 64,
    "hidden_size": 5120,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 25600,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
}


def config(tmp_path, **facts):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(facts), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("facts", "context"),
    [
        ({"max_position_embeddings": None}, None),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 40960),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, 163840),
        (
            {"rope_scaling": {
                "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
            131072,
        ),
    ],
)  # fmt: skip
def test_a_stretched_embedding_makes_the_context_longer(tmp_path, facts, context):
    read = ModelGeometry.from_config(config(tmp_path, **QWEN3_32B | facts))
    assert read.context == context


@pytest.mark.parametrize("name", ["Qwen/Qwen3-32B", "qwen3-32b", "someone/Qwen3-32B"])
def test_a_built_in_shape_equals_the_published_config(tmp_path, name) -> None:
    read = ModelGeometry.from_config(config(tmp_path, **QWEN3_32B), model="Qwen/Qwen3-32B")
    assert ModelGeometry.named(name) == read
    assert read.kv_bytes_per_token() == 64 * 2 * 8 * 128 * 2


def test_experts_and_defaults_of_a_config(tmp_path) -> None:
    facts = QWEN3_32B | {
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "_name_or_path": "me/moe",
    }
    del facts["head_dim"], facts["num_key_value_heads"]
    read = ModelGeometry.from_config(config(tmp_path, text_config=facts, **facts))
    assert (read.experts, read.experts_per_token, read.intermediate) == (128, 8, 768)
    assert (read.model, read.head_dim, read.kv_heads) == ("me/moe", 80, 64)


@pytest.mark.parametrize(
    ("spelling", "known"),
    [
        ("Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B"),
        ("nvidia/Llama-3.1-8B-Instruct-FP8", "meta-llama/Llama-3.1-8B"),
        ("llama-3-70b", "meta-llama/Meta-Llama-3-70B"),
        ("codellama-34b", "codellama/CodeLlama-34b-Instruct-hf"),
        ("Qwen3-30B-A3B-Instruct-2507", "Qwen/Qwen3-30B-A3B-Instruct-2507"),
    ],
)
def test_endings_that_do_not_change_the_shape_do_not_matter(spelling, known) -> None:
    assert ModelGeometry.named(spelling).model == known


@pytest.mark.parametrize(
    ("model", "billions", "active"),
    [
        ("Llama-2-7b", 6.74, 6.74),
        ("Llama-2-70b", 68.98, 68.98),
        ("Llama-3.1-405B", 405.8, 405.8),
        ("CodeLlama-34b", 33.74, 33.74),
        ("Qwen3-32B", 32.76, 32.76),
        ("Mixtral-8x7B-v0.1", 46.70, 12.88),
        ("Qwen3-235B-A22B", 235.1, 22.2),
    ],
)
def test_parameters_are_those_that_the_makers_publish(model, billions, active) -> None:
    geometry = ModelGeometry.named(model)
    assert geometry.parameters() / 1e9 == pytest.approx(billions, rel=2e-3)
    assert geometry.active_parameters() / 1e9 == pytest.approx(active, rel=5e-3)


@pytest.mark.parametrize(
    ("facts", "dtype"),
    [
        ({}, "bf16"),
        ({"torch_dtype": "float16"}, "fp16"),
        ({"dtype": "bfloat16"}, "bf16"),
        ({"torch_dtype": "bfloat16", "quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "awq"}}, "int4"),
        ({"torch_dtype": "auto", "quantization_config": "odd"}, "bf16"),
    ],
)
def test_the_dtype_of_a_config(tmp_path, facts, dtype) -> None:
    read = ModelGeometry.from_config(config(tmp_path, **QWEN3_32B, **facts))
    assert read.dtype == dtype


def test_a_tied_head_counts_once(tmp_path) -> None:
    tied = ModelGeometry.from_config(config(tmp_path, **QWEN3_32B, tie_word_embeddings=True))
    apart = ModelGeometry.from_config(config(tmp_path, **QWEN3_32B))
    assert apart.parameters() - tied.parameters() == 151_936 * 5120
    assert apart.weight_bytes() - tied.weight_bytes() == 2 * 151_936 * 5120


def test_compressed_keys_and_values_are_refused(tmp_path) -> None:
    with pytest.raises(UnsupportedError, match="kv_lora_rank"):
        ModelGeometry.from_config(config(tmp_path, **QWEN3_32B, kv_lora_rank=512))


def test_weights_take_their_dtype_but_the_ends_stay_wide() -> None:
    geometry = ModelGeometry.named("Qwen3-32B")
    ends = 2 * 151_936 * 5120
    assert geometry.weight_bytes() == 2 * geometry.parameters()
    assert geometry.weight_bytes(0.5) == (geometry.parameters() - ends) / 2 + 2 * ends


def test_an_unknown_model_gets_near_names() -> None:
    with pytest.raises(UsageError, match="not built in") as caught:
        ModelGeometry.named("Llama-3.1-9B")
    assert "meta-llama/Llama-3.1-8B" in str(caught.value.fix)


def test_bad_configs(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        ModelGeometry.from_config(tmp_path / "config.json")
    headless = config(tmp_path, **{k: v for k, v in QWEN3_32B.items() if k != "num_hidden_layers"})
    with pytest.raises(DataError, match="lacks num_hidden_layers") as caught:
        ModelGeometry.from_config(headless)
    assert "huggingface.co" in caught.value.fix
    worded = config(tmp_path, **QWEN3_32B | {"vocab_size": "big"})
    with pytest.raises(DataError, match="vocab_size is 'big'"):
        ModelGeometry.from_config(worded)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="is not JSON"):
        ModelGeometry.from_config(tmp_path / "config.json")
