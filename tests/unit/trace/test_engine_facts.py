from __future__ import annotations

import pytest

from workloadlab.errors import DataError
from workloadlab.simulation import Pool
from workloadlab.trace import ENGINE_FACTS, engine_facts


def test_facts_go_by_the_names_of_engines_and_of_pools():
    found = {
        "model_id": "m",
        "tensor_parallel_size": 2,
        "num_gpu_blocks": "2588",
        "enable_prefix_caching": "True",
        "gpu_memory_utilization": 0.9,
        "max_model_len": None,
        "kv_cache_dtype": "auto",
        "cache_dtype": "fp8",
        "seed": 42,
    }
    assert engine_facts(found, where="meta.json") == {
        "model": "m",
        "tp": 2,
        "kv_cache_dtype": "fp8",
        "kv_blocks": 2588,
        "gpu_memory_utilization": 0.9,
        "prefix_caching": True,
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"max_num_seqs": "many"}, "max_num_seqs is 'many', not a whole number"),
        ({"max_num_seqs": 2.5}, "max_num_seqs is 2.5, not a whole number"),
        ({"max_num_seqs": True}, "max_num_seqs is True, not a whole number"),
        ({"async_scheduling": 1}, "async_scheduling is 1, not true or false"),
        ({"model": ["m"]}, r"model is \['m'\], not text"),
    ],
)
def test_a_fact_of_another_kind_is_refused_with_its_place(found, said):
    with pytest.raises(DataError, match=f"meta.json: {said}"):
        engine_facts(found, where="meta.json")


def test_no_name_means_two_facts():
    names = [name for fact in ENGINE_FACTS.values() for name in (fact.name, *fact.aliases)]
    assert len(names) == len(set(names))


def test_pools_use_the_words_of_facts():
    shared = {"kv_blocks", "block_size", "max_num_seqs", "max_num_batched_tokens",
              "long_prefill_token_threshold", "prefix_caching", "async_scheduling",
              "reserve_full_isl"}  # fmt: skip
    assert shared <= set(ENGINE_FACTS) & set(Pool.__dataclass_fields__)


def test_what_no_replay_simulates_is_a_fact_too():
    on = {"speculative_config": {"method": "eagle"}, "speculative_model": "x", "enable_lora": True,
          "pipeline_parallel_size": 2, "enable_chunked_prefill": False}  # fmt: skip
    said = "speculative decoding, LoRA adapters, pipeline parallelism, chunked prefill off"
    assert engine_facts(on, where="meta") == {"not_simulated": said}
    off = {"speculative_config": None, "enable_lora": False, "pipeline_parallel_size": 1,
           "enable_chunked_prefill": "True", "cpu_offload_gb": 0, "enforce_eager": "False"}  # fmt: skip
    assert engine_facts(off, where="meta") == {}
    eager = engine_facts({"enforce_eager": True}, where="meta")
    assert eager == {"max_cudagraph_capture_size": 0}
