"""All-reduces between tensor-parallel GPUs: measured tables, and the default without one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import ModelGeometry
from workloadlab.latency.hardware.collectives import (
    Collective,
    Exchanges,
    all_reduce_default,
    exchange_default,
    expert_parallel,
    find_all_reduce,
    tensor_parallel,
)
from workloadlab.latency.hardware.links import GivenLink, link_of

LLAMA = ModelGeometry.named("Llama-3.1-8B")


def test_a_step_sums_two_per_layer() -> None:
    table = Collective(2, np.array([0.0, 8192.0, 81_920.0]), np.array([5.0, 6.0, 24.0]), "by hand")
    # One token is 8,192 bytes: between known sizes linear, beyond them with the last slope.
    per_call = [6.0, 6.0 + 18 * 4 / 9, 24.0, 24.0 + 2 * 10]
    tokens, sequences = np.array([1.0, 5.0, 10.0, 20.0]), np.array([1.0, 2.0, 3.0, 4.0])
    alone = Exchanges(table, None, names="two")
    assert alone.step_us(LLAMA, tokens, sequences) == pytest.approx(64 * np.array(per_call))
    # Half of 128,256 logits of 2 bytes for every sequence, 3 us and 1 us a kB.
    logits = Collective(2, np.array([0.0, 1000.0]), np.array([3.0, 4.0]), "too")
    both = Exchanges(table, logits, names="two").step_us(LLAMA, tokens, sequences)
    gathered = both - alone.step_us(LLAMA, tokens, sequences)
    assert gathered == pytest.approx(3 + 128.256 * sequences)


def test_what_is_exchanged_is_said(tmp_path) -> None:
    said = str(tensor_parallel(tmp_path, "RTX PRO 6000", 2))
    assert said.startswith("2 all-reduces per layer, 20 us + ring traffic at 16 GB/s")
    assert "from 8 us + ring traffic at 38.4 GB/s to 24 us + ring traffic at 12.8 GB/s" in said
    assert "logits gathered, 24 us + ring traffic at 35.2 GB/s" in said
    assert str(expert_parallel("H200", 4)).startswith(
        "an all-gather and a reduce-scatter per layer"
    )


@pytest.mark.parametrize(
    ("gpu", "tp", "latency", "bytes_s"),
    [
        ("RTX PRO 6000", 2, 20.0, 16e9),
        ("A6000", 4, 24.0, 17.6e9),
        ("RTX 4090", 2, 20.0, 8e9),
        ("H200", 8, 5.0, 270e9),
    ],
)
def test_the_default_is_ring_traffic_over_the_link(tmp_path, gpu, tp, latency, bytes_s) -> None:
    found = find_all_reduce(tmp_path, gpu, tp)
    assert found.source == all_reduce_default(gpu, tp).source
    assert "ring traffic" in found.source
    us = np.interp([0.0, 1e6], found.message_bytes, found.us)
    assert us == pytest.approx([latency, latency + 2 * (tp - 1) / tp * 1e6 / bytes_s * 1e6])


@pytest.mark.parametrize(
    ("gpu", "latency", "bytes_s"),
    [("RTX PRO 6000", 24.0, 35.2e9), ("RTX 3090", 20.0, 8e9), ("H200", 5.0, 270e9)],
)
def test_an_exchange_sends_every_ranks_message_to_all_others(gpu, latency, bytes_s) -> None:
    for ranks in (2, 8):
        found = exchange_default(gpu, ranks)
        us = np.interp([0.0, 1e6], found.message_bytes, found.us)
        assert us == pytest.approx([latency, latency + (ranks - 1) * 1e6 / bytes_s * 1e6])


def test_a_link_that_is_known_takes_the_place_of_the_table(tmp_path) -> None:
    known = GivenLink(latency_s=7e-6, bytes_s=10e9)
    found = find_all_reduce(tmp_path, "H200", 2, known)
    assert np.interp([0.0, 1e6], found.message_bytes, found.us) == pytest.approx([7.0, 107.0])
    assert found.source == "7 us + ring traffic at 10 GB/s (given) between H200s"
    part = exchange_default("RTX PRO 6000", 2, GivenLink(latency_s=7e-6))
    assert np.interp([0.0, 1e6], part.message_bytes, part.us) == pytest.approx(
        [7.0, 7 + 1e3 / 35.2]
    )


@pytest.mark.parametrize("gpu", ["RTX PRO 6000", "A6000", "RTX 4090", "H200"])
@pytest.mark.parametrize("operation", ["all-reduce", "exchange"])
def test_every_link_has_a_source_and_an_interval(gpu, operation) -> None:
    link = link_of(gpu, operation, 2)
    assert link.fastest[0] <= link.latency_s <= link.slowest[0]
    assert link.fastest[1] >= link.bytes_s >= link.slowest[1]
    assert link.source.split(":")[0].split()[0] in ("measured", "published", "stated", "guessed")


def test_an_unknown_gpu_has_no_default(tmp_path) -> None:
    with pytest.raises(UsageError, match="no figures for the GPU 'abacus'"):
        find_all_reduce(tmp_path, "abacus", 2)


def vidur_table(place):
    folder = place / "vidur" / "network" / "a100_dgx"
    folder.mkdir(parents=True)
    pl.DataFrame(
        {
            "num_workers": [2, 2, 2, 4, 2],
            "devices_per_node": [2, 2, 2, 4, 1],
            "size": [1024, 1024, 4096, 1024, 1024],
            "time_stats.all_reduce.median": [0.010, 0.030, 0.05, 9.0, 9.0],
        }
    ).write_parquet(folder / "all_reduce.parquet")


def test_measured_tables_are_found_from_below(tmp_path) -> None:
    vidur_table(tmp_path)
    inside = tmp_path / "vidur" / "compute" / "a100"
    inside.mkdir(parents=True)
    found = find_all_reduce(inside, "a100", 2)
    assert found.source == "measured: Vidur network/a100_dgx"
    assert found.message_bytes.tolist() == [2048.0, 8192.0]
    assert found.us == pytest.approx([20.0, 50.0])
    # The engine's own kernel is preferred; another number of GPUs falls back.
    folder = tmp_path / "aiconfigurator" / "a100_sxm" / "vllm-1"
    folder.mkdir(parents=True)
    pl.DataFrame(
        {
            "num_gpus": [2, 2, 2],
            "backend": ["vllm_graph", "vllm_graph", "vllm_eager"],
            "message_size": [1024, 4096, 1024],
            "latency": [0.004, 0.006, 0.03],
        }
    ).write_parquet(folder / "custom_allreduce_perf.parquet")
    found = find_all_reduce(inside, "a100", 2)
    assert found.source == "measured: aiconfigurator a100_sxm/vllm-1"
    assert found.us == pytest.approx([4.0, 6.0])
    assert "ring traffic" in find_all_reduce(inside, "a100", 8).source


def test_a_broken_table_is_named(tmp_path) -> None:
    vidur_table(tmp_path)
    path = tmp_path / "vidur" / "network" / "a100_dgx" / "all_reduce.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="cannot be read") as caught:
        find_all_reduce(tmp_path, "a100", 2)
    assert str(path) in str(caught.value)
