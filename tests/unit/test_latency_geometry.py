"""Model shapes: the built-in ones and a local config.json."""

from __future__ import annotations

import json

import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import ModelGeometry

QWEN3_32B = {
    "num_hidden_layers": 64,
    "hidden_size": 5120,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 25600,
    "vocab_size": 151936,
}


def config(tmp_path, **facts):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(facts), encoding="utf-8")
    return path


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


def test_an_unknown_model_gets_near_names() -> None:
    with pytest.raises(UsageError, match="not built in") as caught:
        ModelGeometry.named("Llama-3.1-9B")
    assert "meta-llama/Llama-3.1-8B" in str(caught.value.fix)


def test_bad_configs(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        ModelGeometry.from_config(tmp_path / "config.json")
    headless = config(tmp_path, **{k: v for k, v in QWEN3_32B.items() if k != "num_hidden_layers"})
    with pytest.raises(DataError, match="lacks num_hidden_layers"):
        ModelGeometry.from_config(headless)
    worded = config(tmp_path, **QWEN3_32B | {"vocab_size": "big"})
    with pytest.raises(DataError, match="vocab_size is 'big'"):
        ModelGeometry.from_config(worded)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="is not JSON"):
        ModelGeometry.from_config(tmp_path / "config.json")
