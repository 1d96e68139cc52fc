"""The LLMServingSim importer on small tables whose step times can be written down."""

from __future__ import annotations

import gzip
import itertools
import json

import numpy as np
import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import LatencyModel, check_samples, fit
from workloadlab.latency.importers.llmservingsim import is_llmservingsim, read_llmservingsim
from workloadlab.latency.importers.operator_tables import OperatorTables

LAYERS = 3
TOKENS = (1, 16, 64, 512, 2048)
DENSE = {  # operator -> (runs per step, microseconds at 0 tokens, microseconds per token)
    "layernorm": (2 * LAYERS, 1.0, 0.001),
    "qkv_proj": (LAYERS, 20.0, 0.1),
    "rotary_emb": (LAYERS, 2.0, 0.002),
    "o_proj": (LAYERS, 15.0, 0.05),
    "gate_up_proj": (LAYERS, 60.0, 0.3),
    "act_fn": (LAYERS, 2.0, 0.01),
    "down_proj": (LAYERS, 40.0, 0.2),
    "embedding": (1, 3.0, 0.004),
    "final_layernorm": (1, 2.5, 0.005),
}
CONFIG = {
    "num_hidden_layers": LAYERS,
    "hidden_size": 256,
    "num_attention_heads": 8,
    "intermediate_size": 512,
    "vocab_size": 1000,
}
META = """\
vllm_version: 0.19.0
gpu: NVIDIA Toy
hardware: TOY
model: me/toy
variant: bf16
engine_effective:
  model: /somewhere/else
"""


def attention_us(chunk, cached, seqs, kv):
    """Linear on every axis, so that interpolation between profiled shapes is exact."""
    return 7.0 + 0.03 * chunk + 0.01 * cached + 0.2 * seqs + 0.004 * kv


def head_us(seqs):
    return 700.0 + 0.4 * seqs


@pytest.fixture
def perf(tmp_path):
    """A folder perf/TOY/me/toy/bf16/tp1 of linear tables."""
    folder = tmp_path / "perf" / "TOY" / "me" / "toy" / "bf16" / "tp1"
    folder.mkdir(parents=True)
    (folder.parent / "meta.yaml").write_text(META, encoding="utf-8")
    (folder.parent / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    dense = [
        (name, count, base + slope * count)
        for name, (_, base, slope) in DENSE.items()
        for count in TOKENS
    ]
    write(folder / "dense.csv", ["layer", "tokens", "time_us"], dense)
    heads = [("lm_head", n, head_us(n) - 5) for n in (1, 256)] + [
        ("sampler", n, 5) for n in (1, 256)
    ]
    write(folder / "per_sequence.csv", ["layer", "sequences", "time_us"], heads)
    chunks, cached, seqs, kv = (16, 2048), (0, 16, 16384), (1, 128), (16, 16384)
    shapes = [(0, 0, n, k) for n, k in itertools.product((1, 256), kv)]
    shapes += [(c, k, 0, 0) for c, k in itertools.product(chunks, cached)]
    shapes += list(itertools.product(chunks, cached, seqs, kv))
    columns = ["prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"]
    write(folder / "attention.csv", columns, [(*s, attention_us(*s)) for s in shapes])
    return folder


def write(path, columns, rows):
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(path)


def expected_ns(chunk, cached, seqs, kv):
    """One step by hand."""
    total = chunk + seqs
    step_us = sum(runs * (base + slope * total) for runs, base, slope in DENSE.values())
    if chunk and seqs:
        attention = attention_us(max(chunk, 16), cached, seqs, max(kv, 16))
    elif chunk:
        attention = attention_us(max(chunk, 16), cached, 0, 0)
    else:
        attention = attention_us(0, 0, seqs, max(kv, 16))
    return 1000 * (step_us + LAYERS * attention + head_us(seqs + (chunk > 0)))


@pytest.mark.parametrize(
    "step",
    [
        (0, 0, 1, 16),
        (0, 0, 100, 900),
        (512, 0, 0, 0),
        (700, 3000, 0, 0),
        (1, 0, 0, 0),
        (1948, 0, 100, 700),
        (4, 512, 16, 1),
    ],
)
def test_a_step_equals_the_sum_written_by_hand(perf, step) -> None:
    tables = OperatorTables.read(perf)
    assert tables.step_ns(np.array([step], dtype=float)) == pytest.approx(
        [expected_ns(*step)], rel=1e-12
    )


def test_the_step_table_is_composed_of_such_steps(perf) -> None:
    frame, facts = read_llmservingsim(perf)
    table = check_samples(frame)
    for row in table.sample(50, seed=1).iter_rows(named=True):
        chunk, seqs = row["prefill_tokens"], row["decode_seqs"]
        cached = row["prefill_context_tokens"] // chunk if chunk else 0
        kv = row["decode_context_tokens"] // seqs if seqs else 0
        assert row["latency_ns"] == pytest.approx(expected_ns(chunk, cached, seqs, kv), abs=1)
        assert row["group"] == f"{chunk}+{seqs}"
    assert table.select("gpu", "model", "tp").row(0) == ("TOY", "me/toy", 1)
    assert facts["dtype"] == "bf16"
    assert facts["provenance"]["licence"] == "MIT"
    assert facts["system"] == {
        "gpu_name": "NVIDIA Toy",
        "engine": "vLLM 0.19.0",
        "layers": LAYERS,
        "kv_bytes_per_token": 2 * LAYERS * 8 * 32 * 2,
    }


def test_a_folder_is_found_from_above_and_fitted(perf) -> None:
    above = perf.parents[4]
    assert is_llmservingsim(above)
    assert is_llmservingsim(perf)
    assert not is_llmservingsim(perf / "dense.csv")
    model = fit(above)
    assert (model.name, model.gpu, model.model, model.dtype) == ("toy-toy", "TOY", "me/toy", "bf16")
    assert model.card.overall.mape < 0.02
    assert isinstance(model, LatencyModel)


def test_gzipped_tables_are_read(perf) -> None:
    before = read_llmservingsim(perf)[0]
    for path in list(perf.glob("*.csv")):
        path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read_llmservingsim(perf)[0].equals(before)


FEED_FORWARD = ("gate_up_proj", "act_fn", "down_proj")


def into_experts(perf) -> None:
    """Replace the feed-forward block by eight experts, two for each token, not yet measured."""
    experts = CONFIG | {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
    (perf.parent / "config.json").write_text(json.dumps(experts), encoding="utf-8")
    dense = pl.read_csv(perf / "dense.csv")
    dense.filter(~pl.col("layer").is_in(FEED_FORWARD)).write_csv(perf / "dense.csv")


def without_experts_us(tokens) -> float:
    return sum(
        runs * (base + slope * tokens)
        for name, (runs, base, slope) in DENSE.items()
        if name not in FEED_FORWARD
    )


def test_experts_count_as_routed_evenly(perf) -> None:
    into_experts(perf)
    with pytest.raises(DataError, match=r"lacks moe\.csv"):
        OperatorTables.read(perf)
    # The time is 100 us per touched expert: two for one token, 8 (1 - 0.75^T) on average.
    shapes = [(t, e, 100.0 * e) for t in TOKENS for e in (2, 8)]
    write(perf / "moe.csv", ["tokens", "activated_experts", "time_us"], shapes)
    touched = 8 * (1 - 0.75**16)
    attention = LAYERS * attention_us(0, 0, 16, 100)
    expected = without_experts_us(16) + attention + head_us(16) + LAYERS * 100.0 * touched
    step = OperatorTables.read(perf).step_ns(np.array([[0.0, 0.0, 16.0, 100.0]]))
    assert step == pytest.approx([1000 * expected], rel=1e-12)


@pytest.mark.parametrize(
    ("gpu", "exchange_us"), [("TOY", lambda _: 0.0), ("RTXPRO6000", lambda b: 24 + b / 35.2e3)]
)
def test_ranks_share_the_experts_and_all_tokens(perf, gpu, exchange_us) -> None:
    into_experts(perf)
    meta = META.replace("hardware: TOY", f"hardware: {gpu}")
    (perf.parent / "meta.yaml").write_text(meta, encoding="utf-8")
    shapes = [(t, e, 100.0 * e + 3 * t) for t in (2, 32, 128, 1024, 2048) for e in (2, 4, 8)]
    write(perf / "moe.csv", ["tokens", "activated_experts", "time_us"], shapes)
    tables = OperatorTables.read(perf, ranks=2)
    for tokens in (64, 2048):
        # Two ranks send so many tokens each: of four experts 4 (1 - 0.75^2T) are met, at least two;
        # more tokens than the table holds cost 3 us each, as the last ones do.
        experts = 100.0 * max(2.0, 4 * (1 - 0.75 ** (2 * tokens))) + 3 * 2 * tokens
        exchanges = 2 * exchange_us(tokens * CONFIG["hidden_size"] * 2)
        layers = attention_us(tokens, 0, 0, 0) + experts + exchanges
        expected = without_experts_us(tokens) + head_us(1) + LAYERS * layers
        step = tables.step_ns(np.array([[tokens, 0.0, 0.0, 0.0]]))
        assert step == pytest.approx([1000 * expected], rel=1e-9)
    model = fit(perf, expert_parallel=2)
    assert model.name.endswith("toy-ep2")
    assert model.system["expert_parallel"] == 2
    said = "an all-gather and a reduce-scatter per layer" if gpu != "TOY" else "are not included"
    assert said in model.provenance["notes"]


def test_ranks_that_cannot_share_the_experts(perf) -> None:
    with pytest.raises(UsageError, match="2 ranks cannot share the 0 experts of me/toy"):
        fit(perf, expert_parallel=2)
    into_experts(perf)
    with pytest.raises(UsageError, match="3 ranks cannot share the 8 experts"):
        fit(perf, expert_parallel=3)
    with pytest.raises(UsageError, match="0 ranks cannot share"):
        fit(perf, expert_parallel=0)
    with pytest.raises(UsageError, match="expert parallel over tp = 2 is not composed"):
        fit(perf.rename(perf.with_name("tp2")), expert_parallel=2)


def test_several_configurations_must_be_named(perf) -> None:
    other = perf.with_name("tp2")
    other.mkdir()
    for path in perf.glob("*.csv"):
        (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match="tables of 2 configurations") as caught:
        fit(perf.parent)
    assert "tp1, tp2" in str(caught.value.fix)
    model = fit(other)
    assert (model.tp, model.name) == (2, "toy-toy-tp2")
    assert "collectives" in model.provenance["notes"]


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("dense", lambda f: f.drop("tokens"), "lacks the columns tokens"),
        ("dense", lambda f: f.filter(pl.col("layer") != "o_proj"), "lacks the operator o_proj"),
        (
            "dense",
            lambda f: f.with_columns(pl.col("layer").replace("o_proj", "magic")),
            "holds the operator magic",
        ),
        ("per_sequence", lambda f: f.filter(pl.col("layer") == "sampler"), "operator lm_head"),
        ("attention", lambda f: f.slice(1), "has 3 of 4 decode shapes"),
        ("attention", lambda f: f.with_columns(time_us=-1.0), "time_us is not a positive number"),
        (
            "attention",
            lambda f: f.with_columns(time_us=pl.lit("fast")),
            "time_us is not a positive number",
        ),
    ],
)
def test_bad_tables_are_refused(perf, table, change, message) -> None:
    path = perf / f"{table}.csv"
    change(pl.read_csv(path)).write_csv(path)
    with pytest.raises(DataError, match=message):
        OperatorTables.read(perf)


def test_folders_that_do_not_fit(perf, tmp_path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        read_llmservingsim(tmp_path / "absent")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match=r"holds no attention\.csv"):
        read_llmservingsim(empty)
    with pytest.raises(UsageError, match="folder without profile tables"):
        fit(empty)
    (perf.parent / "config.json").unlink()
    with pytest.raises(UsageError, match="the shape of 'me/toy' is not built in"):
        fit(perf)
    (perf.parent / "meta.yaml").write_text("gpu: x\n", encoding="utf-8")
    with pytest.raises(DataError, match="lacks the key hardware"):
        fit(perf)
    (perf.parent / "meta.yaml").unlink()
    with pytest.raises(DataError, match=r"has no meta\.yaml"):
        fit(perf)
    with pytest.raises(UsageError, match="degree is not in the folder's name"):
        fit(perf.rename(perf.with_name("two")))
