"""Each importer on a small source whose steps can be written down, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import check_samples
from workloadlab.latency.importers import SOURCES, is_source, read_source, registry

CONFIG = {
    "num_hidden_layers": 2,
    "hidden_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 1024,
    "vocab_size": 4096,
}
MS, US = 1e6, 1e3  # in nanoseconds


def rows_of(frame):
    """Rows of a composed frame as (chunk, cached, seqs, context each, ns)."""
    for row in frame.iter_rows(named=True):
        chunk, seqs = row["prefill_tokens"], row["decode_seqs"]
        cached = row["prefill_context_tokens"] // chunk if chunk else 0
        context = row["decode_context_tokens"] // seqs if seqs else 0
        yield chunk, cached, seqs, context, row["latency_ns"]


def write(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)


# --- LLMServingSim, the older profiler ---------------------------------------------------------

V0 = {  # operator -> (runs per step, ns, ns per token)
    "input_layernorm": (2, 900, 3),
    "post_layernorm": (2, 800, 3),
    "q_proj": (2, 20_000, 40),
    "k_proj": (2, 9_000, 20),
    "v_proj": (2, 9_500, 20),
    "rope": (2, 2_000, 10),
    "o_proj": (2, 15_000, 40),
    "gate_proj": (2, 60_000, 100),
    "up_proj": (2, 61_000, 100),
    "act_fn": (2, 3_000, 7),
    "down_proj": (2, 58_000, 90),
    "embedding": (1, 2_500, 5),
    "final_layernorm": (1, 900, 3),
}


def v0_folder(tmp_path, tp="tp1", gpu="A6000"):
    folder = tmp_path / "perf_v0" / gpu / "me" / "toy" / tp
    tokens = [1, 2048]
    operators = V0 | {"lm_head": (1, 90_000, 500), "attn": (0, 5_000, 9)}
    layers = [
        (name, n, base + slope * n) for name, (_, base, slope) in operators.items() for n in tokens
    ]
    write(
        folder / "layers.parquet",
        dict(zip(("layer_name", "input", "latency(ns)"), zip(*layers, strict=True), strict=True)),
    )
    prefill = [(p, k, 0.004 + 1e-6 * p * k / 100) for p in (32, 1024) for k in (32, 1024, 2048)]
    decode = [(n, k, 0.003 + 1e-5 * n + 1e-6 * k) for n in (1, 256) for k in (n, 16 * n, 256 * n)]
    write(
        folder / "attention.parquet",
        {
            "is_prefill": [True] * len(prefill) + [False] * len(decode),
            "batch_size": [1] * len(prefill) + [n for n, _, _ in decode],
            "prefill_chunk_size": [p for p, _, _ in prefill] + [0] * len(decode),
            "kv_cache_size": [k for _, k, _ in prefill] + [k for _, k, _ in decode],
            "time_stats.attn_prefill.median": [t for _, _, t in prefill] + [None] * len(decode),
            "time_stats.attn_decode.median": [None] * len(prefill) + [t for _, _, t in decode],
        },
    )
    (folder.parent / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return folder


def v0_ns(chunk, cached, seqs, context):
    total, heads = chunk + seqs, seqs + (chunk > 0)
    ns = sum(runs * (base + slope * total) for runs, base, slope in V0.values())
    ns += 90_000 + 500 * heads
    if chunk:  # keys: those cached and, on average, half of the chunk
        ns += 2 * MS * (0.004 + 1e-8 * max(chunk, 32) * (cached + chunk / 2))
    if seqs:  # keys of the whole batch
        ns += 2 * MS * (0.003 + 1e-5 * seqs + 1e-6 * seqs * context)
    return ns


def test_the_older_profiler_counts_all_keys_of_a_batch(tmp_path) -> None:
    frame, facts = read_source(v0_folder(tmp_path))
    table = check_samples(frame)
    seen = 0
    for chunk, cached, seqs, context, ns in rows_of(table):
        if chunk in range(1, 32) or chunk > 1024:
            continue
        assert ns == pytest.approx(v0_ns(chunk, cached, seqs, context), rel=1e-6)
        seen += bool(chunk and seqs)
    assert seen > 100
    assert table.select("gpu", "model", "tp").row(0) == ("A6000", "me/toy", 1)
    assert facts["system"] == {"layers": 2, "kv_bytes_per_token": 2 * 2 * 4 * 64 * 2}
    assert facts["provenance"]["licence"] == "MIT"


def test_two_gpus_add_the_collectives(tmp_path) -> None:
    alone = read_source(v0_folder(tmp_path / "a"))[0]
    frame, facts = read_source(v0_folder(tmp_path / "b", "tp2"))
    assert "2 all-reduces per layer, 20 us + ring traffic at 8 GB/s" in facts["provenance"]["notes"]
    chunk, seqs = (frame[name].to_numpy() for name in ("prefill_tokens", "decode_seqs"))
    extra = frame["latency_ns"].to_numpy() - alone["latency_ns"].to_numpy()
    reduced = 2 * 2 * (20 * US + (chunk + seqs) * 512 * 2 / 8)
    gathered = 24 * US + (seqs + (chunk > 0)) * CONFIG["vocab_size"] / 17.6
    assert extra == pytest.approx(reduced + gathered, abs=2)


def test_experts_run_one_by_one_on_their_gpu(tmp_path) -> None:
    folder = v0_folder(tmp_path)
    experts = CONFIG | {"num_local_experts": 4, "num_experts_per_tok": 2}
    (folder.parent / "config.json").write_text(json.dumps(experts), encoding="utf-8")
    with pytest.raises(DataError, match=r"lacks the operator expert\.w1"):
        read_source(folder)
    layers = pl.read_parquet(folder / "layers.parquet")
    names = ("expert.w1", "expert.w2", "expert.w3", "gate")
    points = [(name, n, 10_000 + 5 * n) for name in names for n in (1, 2048)]
    new = pl.DataFrame(points, schema=layers.schema, orient="row")
    pl.concat([layers, new]).write_parquet(folder / "layers.parquet")
    frame = read_source(folder)[0]
    row = next(r for r in rows_of(frame) if r[:4] == (0, 0, 16, 64))
    touched = 4 * (1 - 0.5**16)
    each = 16 * 2 / touched
    moe = (10_000 + 5 * 16) + touched * (3 * (10_000 + 5 * each) + 3_000 + 7 * each)
    dense = sum(V0[n][1] + V0[n][2] * 16 for n in ("gate_proj", "up_proj", "act_fn", "down_proj"))
    assert row[4] == pytest.approx(v0_ns(0, 0, 16, 64) + 2 * (moe - dense), rel=1e-6)


def test_a_folder_without_attention_is_refused_or_borrows_it(tmp_path) -> None:
    folder = v0_folder(tmp_path, gpu="RTX3090")
    (folder / "attention.parquet").unlink()
    with pytest.raises(UsageError, match="no source around it measured attention on RTX3090"):
        read_source(folder)
    hopper = v0_folder(tmp_path, gpu="H100")
    (hopper / "attention.parquet").unlink()
    aiconfigurator(tmp_path, "h100_sxm")
    assert "aiconfigurator h100_sxm" in read_source(hopper)[1]["provenance"]["notes"]
    assert "Apache-2.0" in read_source(hopper)[1]["provenance"]["licence"]


def test_several_folders_must_be_named(tmp_path) -> None:
    v0_folder(tmp_path, "tp1")
    v0_folder(tmp_path, "tp2")
    with pytest.raises(UsageError, match="tables of 2 configurations") as caught:
        read_source(tmp_path)
    assert "tp1" in caught.value.fix
    assert read_source(tmp_path, tp=2)[0]["tp"][0] == 2
    with pytest.raises(UsageError, match="holds no perf_v0"):
        read_source(tmp_path, tp=4)


# --- Vidur --------------------------------------------------------------------------------------

OPERATORS = (
    *("input_layernorm", "attn_pre_proj", "attn_rope", "attn_post_proj"),
    *("post_attention_layernorm", "mlp_up_proj", "mlp_act", "mlp_down_proj", "add", "emb"),
)


def mlp_ms(name, tokens):
    return 0.01 * (1 + OPERATORS.index(name)) + 1e-5 * tokens


def vidur_folder(tmp_path, gpu="a30", **widths):
    folder = tmp_path / "vidur" / "compute" / gpu / "me__toy"
    tokens = [1, 16, 64, 512, 4096]
    wide = {"n_embd": 512, "n_expanded_embd": 1024} | widths
    columns = {f"time_stats.{n}.median": [mlp_ms(n, t) for t in tokens] * 2 for n in OPERATORS}
    columns["time_stats.attn_post_proj.median"][1] = None  # a hole between measured counts
    columns |= {"num_tokens": tokens * 2, "num_tensor_parallel_workers": [1] * 5 + [2] * 5}
    columns |= {name: [value] * 10 for name, value in wide.items()}
    write(folder / "mlp.parquet", columns)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return folder


def vidur_attention(path, tp=1):
    prefill = [(p, c, 0.01 + 1e-5 * p + 1e-6 * c) for p in (64, 4096) for c in (0, 1000, 4000)]
    decode = [(n, c, 0.02 + 1e-4 * n + 1e-6 * c) for n in (1, 128) for c in (1, 4000)]
    both = prefill + decode
    write(
        path,
        {
            "is_prefill": [True] * 6 + [False] * 4,
            "prefill_chunk_size": [p for p, _, _ in prefill] + [0] * 4,
            "batch_size": [1] * 6 + [n for n, _, _ in decode],
            "kv_cache_size": [c for _, c, _ in both],
            "time_stats.attn_prefill.median": [t for _, _, t in prefill] + [0.0] * 4,
            "time_stats.attn_decode.median": [0.0] * 6 + [t for _, _, t in decode],
            "time_stats.attn_kv_cache_save.median": [0.003] * 10,
            "n_q_head": [8] * 10, "n_kv_head": [4] * 10, "n_embd": [512] * 10,
            "num_tensor_parallel_workers": [tp] * 10,
        },
    )  # fmt: skip


def vidur_ns(chunk, cached, seqs, context):
    total, heads = chunk + seqs, seqs + (chunk > 0)
    ms = 2 * sum(mlp_ms(name, total) for name in OPERATORS[:-1])
    ms += mlp_ms("emb", total) + mlp_ms("input_layernorm", total)
    ms += mlp_ms("mlp_up_proj", heads) * 4096 / 2048
    if chunk:
        ms += 2 * (0.013 + 1e-5 * max(chunk, 64) + 1e-6 * cached)
    if seqs:
        ms += 2 * (0.023 + 1e-4 * seqs + 1e-6 * context)
    return ms * MS


@pytest.mark.parametrize("older", [False, True])
def test_vidur_steps_by_hand(tmp_path, older) -> None:
    folder = vidur_folder(tmp_path)
    place = tmp_path / "vidur" / "compute_2023" / "a30" if older else folder
    vidur_attention(place / "attention.parquet")
    frame, facts = read_source(folder, tp=1)
    for chunk, cached, seqs, context, ns in rows_of(check_samples(frame)):
        assert ns == pytest.approx(vidur_ns(chunk, cached, seqs, context), rel=1e-6)
    origin = "compute_2023/a30" if older else "a30/me__toy"
    assert f"attention from Vidur {origin}" in facts["provenance"]["notes"]
    assert frame["decode_seqs"].max() <= 128


def test_vidur_takes_the_smallest_degree_that_fits(tmp_path) -> None:
    folder = vidur_folder(tmp_path)
    vidur_attention(folder / "attention.parquet")
    assert read_source(folder)[0]["tp"][0] == 1
    with pytest.raises(UsageError, match="tp = 4 was not profiled") as caught:
        read_source(folder, tp=4)
    assert "1, 2" in caught.value.fix


def test_vidur_without_attention_or_of_another_shape(tmp_path) -> None:
    with pytest.raises(UsageError, match="no source around it measured attention on A30"):
        read_source(vidur_folder(tmp_path))
    with pytest.raises(DataError, match=r"profiled with widths \(512, 2048\)"):
        read_source(vidur_folder(tmp_path / "b", n_expanded_embd=2048))


# --- aiconfigurator -----------------------------------------------------------------------------


def aiconfigurator(tmp_path, system="h200_sxm", kernel="vllm_flash_attn_fa3"):
    """Products cost n k (1 + m) units, attention a constant per pair."""
    folder = tmp_path / "aiconfigurator" / system / "vllm-1"
    sizes = [
        (m, n, k) for m in (1, 16, 64, 256, 2048, 8192) for n in (32, 512, 8192) for k in (32, 8192)
    ]
    write(
        folder / "gemm_perf.parquet",
        {
            "gemm_dtype": ["bfloat16"] * len(sizes),
            "m": [m for m, _, _ in sizes],
            "n": [n for _, n, _ in sizes],
            "k": [k for _, _, k in sizes],
            "latency": [1e-9 * m * n * k for m, n, k in sizes],
        },
    )
    lengths = [1, 64, 1024, 16384]
    common = {"num_heads": 8, "head_dim": 64, "kv_cache_dtype": "bfloat16"}
    common["kernel_source"] = kernel
    write(
        folder / "context_attention_perf.parquet",
        {name: [value] * 4 for name, value in (common | {"num_key_value_heads": 4}).items()}
        | {"batch_size": [1] * 4, "isl": lengths, "latency": [0.01, 0.02, 0.5, 90.0]},
    )
    # Two KV heads at most: four are twice the sequences of half the heads.
    fewer = {"num_heads": 4, "num_key_value_heads": 2}
    decode = [(n, c, 0.01 + 1e-3 * n + 1e-7 * n * c) for n in (1, 512) for c in (1, 4096, 16384)]
    write(
        folder / "generation_attention_perf.parquet",
        {name: [value] * 6 for name, value in (common | fewer).items()}
        | {"batch_size": [n for n, _, _ in decode], "step": [c - 1 for _, c, _ in decode],
           "latency": [t for _, _, t in decode]},
    )  # fmt: skip
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return folder


def stream_ms(kernels, moved):
    return kernels * 1.5e-3 + moved / (0.8 * 4.8e12) * 1e3


def test_kernels_of_any_model_by_hand(tmp_path) -> None:
    frame, facts = read_source(aiconfigurator(tmp_path))
    widths = [(1024, 512), (512, 512), (2048, 512), (512, 1024)]  # qkv, out, gate and up, down
    rows = {row[:4]: row[4] for row in rows_of(check_samples(frame))}
    for (chunk, cached, seqs, context), attention in {
        (0, 0, 64, 256): 0.01 + 1e-3 * 128 + 1e-7 * 128 * 256,
        (1024, 0, 0, 0): 0.5,
        (1024, 2048, 0, 0): np.interp(3072, [1024, 16384], [0.5, 90]) * (1 - (2 / 3) ** 2),
    }.items():
        total, heads = chunk + seqs, seqs + (chunk > 0)
        layer = sum(1e-9 * total * n * k for n, k in widths)
        layer += stream_ms(5, total * 2 * (8 * 512 + 2 * 1024 + 3 * 1024))
        once = stream_ms(2, total * 512 * 2 * 4) + stream_ms(3, heads * 4096 * 12)
        once += 1e-9 * heads * 4096 * 512
        expected = 2 * (layer + attention) + once
        assert rows[chunk, cached, seqs, context] == pytest.approx(expected * MS, rel=1e-6)
    assert facts["provenance"]["licence"] == "Apache-2.0"
    assert facts["system"]["engine"] == "vLLM 1"


def test_flash_attention_2_computes_whole_tiles_beside_a_prefill(tmp_path) -> None:
    later = read_source(aiconfigurator(tmp_path / "3", "a100_sxm"))[0]
    frame, facts = read_source(aiconfigurator(tmp_path / "2", "a100_sxm", "vllm_flash_attn"))
    assert "decodes beside a prefill estimated from full tiles" in facts["provenance"]["notes"]
    dearer = 0
    for (chunk, _, seqs, context, ns), before in zip(rows_of(frame), rows_of(later), strict=True):
        tiles = 1.4 * 4 * 128 * 8 * 64 * seqs * context / 312e12 * 1e9
        alone = (0.01 + 1e-3 * 2 * seqs + 1e-7 * 2 * seqs * context) * MS
        extra = 2 * max(0.0, tiles - alone) if chunk and seqs else 0.0
        assert ns - before[4] == pytest.approx(extra, abs=1e-3 * ns)
        dearer += extra > 0
    assert dearer > 100


def test_products_wider_than_measured_are_done_in_parts(tmp_path) -> None:
    folder = aiconfigurator(tmp_path)
    wide = CONFIG | {"vocab_size": 16_384}
    narrow = {row[:4]: row[4] for row in rows_of(read_source(folder)[0])}
    (folder / "config.json").write_text(json.dumps(wide), encoding="utf-8")
    step = (0, 0, 64, 256)
    extra = {row[:4]: row[4] for row in rows_of(read_source(folder)[0])}[step] - narrow[step]
    columns = 16_384 - 4096
    head = 1e-9 * 64 * columns * 512 + 64 * columns * 12 / (0.8 * 4.8e12) * 1e3
    assert extra == pytest.approx(head * MS, rel=1e-3)


def test_experts_come_from_their_own_table(tmp_path) -> None:
    folder = aiconfigurator(tmp_path)
    experts = CONFIG | {"num_local_experts": 8, "num_experts_per_tok": 2}
    dense = {row[:4]: row[4] for row in rows_of(read_source(folder)[0])}
    (folder / "config.json").write_text(json.dumps(experts), encoding="utf-8")
    shape = {"hidden_size": 512, "inter_size": 1024, "topk": 2, "num_experts": 8,
             "moe_tp_size": 1, "moe_ep_size": 1, "moe_dtype": "bfloat16"}  # fmt: skip
    write(
        folder / "moe_perf.parquet",
        {name: [value] * 3 for name, value in shape.items()}
        | {"num_tokens": [1, 8192, 1], "latency": [0.5, 8.691, 7.0],
           "distribution": ["balanced", "balanced", "power_law_1.2"]},
    )  # fmt: skip
    routed = {row[:4]: row[4] for row in rows_of(read_source(folder)[0])}
    step = (0, 0, 64, 256)
    feed_forward = 1e-9 * 64 * (2048 * 512 + 512 * 1024) + 64 * 2 * 3 * 1024 / (0.8 * 4.8e9)
    moe = 0.5 + 0.001 * 63 + 1e-9 * 64 * 32 * 512  # 8 router outputs cost what 32 cost
    assert routed[step] - dense[step] == pytest.approx(2 * (moe - feed_forward) * MS, rel=1e-5)
    aiconfigurator_heads(folder)
    with pytest.raises(UsageError, match="on 2 GPUs were not measured"):
        read_source(folder, tp=2)


def aiconfigurator_heads(folder) -> None:
    """Add attention of the heads that two GPUs have each."""
    for name in ("context", "generation"):
        path = folder / f"{name}_attention_perf.parquet"
        table = pl.read_parquet(path)
        halved = table.with_columns(pl.col("num_heads") // 2, pl.col("num_key_value_heads") // 2)
        pl.concat([table, halved]).write_parquet(path)


def test_what_aiconfigurator_cannot_answer(tmp_path) -> None:
    folder = aiconfigurator(tmp_path)
    with pytest.raises(UsageError, match="attention of 8 heads, 4 KV heads of 64 on 2 GPUs"):
        read_source(folder, tp=2)
    with pytest.raises(UsageError, match="holds no fp8 products"):
        read_source(folder, dtype="fp8")
    with pytest.raises(UsageError, match="dtype 'int3' is not read"):
        read_source(folder, dtype="int3")
    config = (folder / "config.json").rename(tmp_path / "config.json")
    with pytest.raises(UsageError, match="kernels for any model, and none is named") as caught:
        read_source(folder)
    assert "model=" in caught.value.fix
    config.rename(folder / "config.json")
    table = pl.read_parquet(folder / "gemm_perf.parquet")
    table.drop("latency").write_parquet(folder / "gemm_perf.parquet")
    with pytest.raises(DataError, match="lacks the columns latency"):
        read_source(folder, model="toy")


# --- The registry -------------------------------------------------------------------------------


def test_an_unknown_layout_lists_what_is_understood(tmp_path) -> None:
    with pytest.raises(UsageError, match="is a folder without profile tables") as caught:
        read_source(tmp_path)
    assert all(source.layout in caught.value.fix for source in SOURCES)
    other = tmp_path / "steps.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    assert not is_source(other)
    with pytest.raises(UsageError, match="is not a profile table"):
        read_source(other)
    with pytest.raises(UsageError, match="no such file or folder"):
        read_source(tmp_path / "absent")


def test_an_option_that_a_source_does_not_take_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="gpu cannot be chosen: Vidur"):
        read_source(vidur_folder(tmp_path), gpu="a30")
    with pytest.raises(UsageError, match=r"Vidur .* is not composed for expert-parallel ranks"):
        read_source(vidur_folder(tmp_path / "again"), expert_parallel=2)


def test_unreadable_tables_are_named(tmp_path) -> None:
    path = tmp_path / "perf_model.csv"
    path.write_text("model,hardware\nx,y\n", encoding="utf-8")
    with pytest.raises(DataError, match="lacks the columns tensor_parallel") as caught:
        read_source(path)
    assert str(path) in str(caught.value)
    folder = v0_folder(tmp_path)
    (folder / "layers.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="cannot be read"):
        read_source(folder)


def test_each_path_belongs_to_one_source(tmp_path) -> None:
    for path in (v0_folder(tmp_path), vidur_folder(tmp_path), aiconfigurator(tmp_path)):
        assert sum(source.accepts(path) for source in SOURCES) == 1


def test_every_file_that_reads_a_layout_is_listed():
    folder = Path(registry.__file__).parent
    having = [path for path in folder.glob("*.py") if "\nSOURCE = Source(" in path.read_text()]
    modules = {source.read.__module__.rsplit(".", 1)[-1] for source in SOURCES}
    assert modules == {path.stem for path in having}
