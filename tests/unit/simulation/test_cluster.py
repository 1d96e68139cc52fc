from __future__ import annotations

import dataclasses

import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import LatencyModel
from workloadlab.simulation import Cluster, Pool

MODEL = LatencyModel.linear(constant_s=0.01)

GOOD = """
signal_interval_s = 0.1
[[pool]]
name = "fast"
instances = 2
latency = "fast.json"
kv_blocks = 27000
[[pool]]
name = "slow"
latency = "rtxpro6000-llama-3.1-8b"
"""


def write(tmp_path, text):
    MODEL.save(tmp_path / "fast.json")
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    return path


def test_load_reads_pools_and_finds_models_beside_the_file(tmp_path):
    cluster = Cluster.load(write(tmp_path, GOOD))
    assert cluster.instance_names == ["fast/0", "fast/1", "slow/0"]
    assert cluster.signal_interval_s == 0.1
    assert cluster.pools[0].latency.coefficients == MODEL.coefficients
    assert cluster.to_dict()["pool"][1]["latency"] == "rtxpro6000-llama-3.1-8b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pool = 3", "has no [[pool]]"),
        ("", "has no [[pool]]"),
        ("[[pool]\n", "is not TOML"),
        (GOOD.replace("kv_blocks", "kv_block"), "pool 1: unknown key 'kv_block'"),
        ("speed = 1\n" + GOOD, "unknown key 'speed'"),
        (GOOD.replace("27000", "-1"), "kv_blocks = -1"),
        (GOOD.replace("instances = 2", "instances = 0"), "instances = 0"),
        (GOOD.replace("instances = 2", "instances = 2.5"), "instances = 2.5"),
        (GOOD.replace("0.1", "-3"), "signal_interval_s = -3"),
        (GOOD.replace('"slow"', '"fast"'), "share a name"),
        (GOOD.replace("fast.json", "gone.json"), "gone.json"),
        (GOOD.replace('latency = "fast.json"', ""), "has no latency"),
    ],
)
def test_load_refuses_with_place_and_fix(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        Cluster.load(path)
    assert said in str(caught.value)
    assert "cluster.toml" in str(caught.value)


def test_load_refuses_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="no such cluster file"):
        Cluster.load(tmp_path / "none.toml")


def test_uniform_refuses_unknown_options():
    with pytest.raises(UsageError, match=r"kv_block[\s\S]*did you mean kv_blocks"):
        Cluster.uniform(2, MODEL, kv_block=3)
    with pytest.raises(UsageError, match="latency = 5"):
        Cluster.uniform(2, 5)
    with pytest.raises(UsageError, match="step_overhead_s"):
        Pool(latency=MODEL, step_overhead_s=-1.0)
    with pytest.raises(UsageError, match="no pool"):
        Cluster(pools=[])


def test_a_model_of_whole_steps_brings_its_overhead():
    whole = dataclasses.replace(MODEL, system={"includes_step_overhead": True})
    assert Pool(latency=MODEL).step_overhead_s == 0.001
    assert Pool(latency=whole).step_overhead_s == 0.0
    assert Pool(latency=whole, step_overhead_s=0.002).step_overhead_s == 0.002


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"watermark": 1.0}, "watermark = 1.0"),
        ({"reserve_full_isl": 1}, "reserve_full_isl = 1"),
        ({"models": "llama"}, "models = 'llama'"),
    ],
)
def test_pool_refuses(option, said):
    with pytest.raises(UsageError, match=said):
        Pool(latency=MODEL, **option)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"models": ("llama-9",)}, "serves llama-9, which no request asks for"),
        ({"kv_blocks": 2}, "its smallest request needs 3"),
    ],
)
def test_a_pool_that_no_request_can_use_is_refused_before_anything_runs(pool, said):
    import polars as pl

    from workloadlab.simulation import replay
    from workloadlab.trace import Trace

    log = pl.DataFrame(
        {
            "arrival_ns": [0, 1],
            "input_tokens": [40, 50],
            "output_tokens": [2, 2],
            "model": ["a", "b"],
        }
    )
    with pytest.raises(UsageError, match=said):
        replay(Trace.from_frame(log), Cluster.uniform(2, MODEL, **pool))
