"""Step samples from the tables of LLMServingSim's older profiler: perf_v0/GPU/ORG/MODEL/tpN.

`layers.parquet` holds nanoseconds of every operator by token count, `attention.parquet` milliseconds
of attention. Its `kv_cache_size` counts all keys that the kernel walks: for prefill a chunk times
those keys without a causal mask (so a chunk p behind c cached tokens is looked up at c + p/2 keys,
the mean), for decode the keys of the whole batch. Both follow from the times: they are equal where
the products are, and no memory is fast enough for any other reading. The table of the TPU has its
own columns; there keys are per sequence and the mask is causal. A folder without attention takes
aiconfigurator's of the same GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.latency.hardware.collectives import tensor_parallel
from workloadlab.latency.importers.aiconfigurator_attention import measured_attention
from workloadlab.latency.importers.attention import Attention, DecodeGrid, PrefillLines, mixed_note
from workloadlab.latency.importers.composition import StepCosts
from workloadlab.latency.importers.selection import (
    geometry_of,
    licence_of,
    only_folder,
    read_table,
)
from workloadlab.latency.importers.source import Facts, Source

if TYPE_CHECKING:
    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = ["SOURCE", "is_llmservingsim_v0", "read_llmservingsim_v0"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_LAYOUT = "perf_v0/GPU/ORG/MODEL/tpN with layers.parquet"
_PER_LAYER = ("input_layernorm", "post_layernorm", "q_proj", "k_proj", "v_proj", "rope", "o_proj")
_FEED_FORWARD = ("gate_proj", "up_proj", "act_fn", "down_proj")
_EXPERT = ("expert.w1", "expert.w2", "expert.w3", "act_fn")
_PER_STEP = ("embedding", "final_layernorm")
_TOKENS = (*range(1, 17), *range(24, 257, 8), *range(288, 2049, 32))
_GPU_TIMES = ("time_stats.attn_prefill.median", "time_stats.attn_decode.median")
_TPU_TIMES = ("p50_ns", "p50_ns")
_MS, _NS = 1e3, 1e-3  # to microseconds


def is_llmservingsim_v0(path: str | Path) -> bool:
    """Say whether `path` is a folder with such tables in it or below it."""
    return Path(path).is_dir() and any(Path(path).rglob("layers.parquet"))


def read_llmservingsim_v0(path: str | Path, *, tp: int | None = None) -> tuple[pl.DataFrame, Facts]:
    """Compose a step table from the tables in a folder, or in the only such folder below it.

    Args:
        path: the folder.
        tp: take only folders of this tensor-parallel degree.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no tables there, several configurations, an unknown model or no attention.
        DataError: a table lacks a column or an operator.
    """
    path = Path(path)
    folders = [file.parent for file in path.rglob("layers.parquet")]
    if tp is not None:
        folders = [folder for folder in folders if folder.name == f"tp{tp}"]
    folder = only_folder(path, folders, _LAYOUT).resolve()
    degree = folder.name.removeprefix("tp")
    if not degree.isdigit() or len(folder.parts) < 5:
        raise UsageError("is not laid out as expected", where=str(folder), fix=f"use {_LAYOUT}")
    gpu, name = folder.parts[-4], "/".join(folder.parts[-3:-1])
    costs = _costs(folder, geometry_of(folder, name), gpu, int(degree))
    notes = [
        "composed from kernel times of one layer; CPU time between kernels is not included",
        f"attention from {costs.attention.origin}; {mixed_note(costs.attention)}",
    ]
    if costs.geometry.experts:
        notes.append("experts one after another, spread over the GPUs")
    if costs.exchanges:
        notes.append(str(costs.exchanges))
    facts: Facts = {
        "dtype": "bf16",
        "provenance": {
            "source": f"LLMServingSim profile tables, perf_v0/{gpu}/{name}/{folder.name}",
            "url": "https://github.com/casys-kaist/LLMServingSim",
            "licence": licence_of("MIT", "; ".join(notes)),
            "notes": "; ".join(notes),
        },
        "system": {
            "layers": costs.geometry.layers,
            "kv_bytes_per_token": costs.geometry.kv_bytes_per_token(),
        },
        "terms": costs.terms(gpu),
    }
    return costs.frame(gpu), facts


def _costs(folder: Path, geometry: ModelGeometry, gpu: str, tp: int) -> StepCosts:
    operators = _operators(folder / "layers.parquet", geometry)
    tokens = np.array(_TOKENS, float)
    experts = np.zeros(len(tokens))
    if geometry.experts:
        experts = _experts_us(operators, geometry, tp, tokens)
    per_layer = _PER_LAYER if geometry.experts else (*_PER_LAYER, *_FEED_FORWARD)
    return StepCosts(
        geometry=geometry,
        tp=tp,
        tokens=tokens,
        layer_us=sum((_at(operators[name], tokens) for name in per_layer), experts),
        once_us=sum((_at(operators[name], tokens) for name in _PER_STEP), np.zeros(len(tokens))),
        sequences=tokens[tokens <= 256],
        head_us=_at(operators["lm_head"], tokens[tokens <= 256]),
        attention=_attention(folder, geometry, gpu, tp),
        exchanges=tensor_parallel(folder, gpu, tp) if tp > 1 else None,
    )


def _operators(path: Path, geometry: ModelGeometry) -> dict[str, tuple[Floats, Floats]]:
    """Operator -> token counts and microseconds; repeated counts by their median."""
    frame = read_table(path, ("layer_name", "input", "latency(ns)"))
    table = (
        frame.group_by("layer_name", "input")
        .agg((pl.col("latency(ns)").median() * _NS).alias("us"))
        .sort("layer_name", "input")
    )
    found = {
        str(name): (rows["input"].to_numpy().astype(float), rows["us"].to_numpy())
        for (name,), rows in table.group_by("layer_name", maintain_order=True)
        if rows.height > 1  # a single count is a leftover of fusion
    }
    # A profile of fused kernels names only one of them.
    share = geometry.kv_heads / geometry.heads
    if "q_proj" in found:
        for name in ("k_proj", "v_proj"):
            found.setdefault(name, (found["q_proj"][0], found["q_proj"][1] * share))
    found.setdefault("act_fn", (np.array([1.0]), np.array([0.0])))
    block = (*_EXPERT, "gate") if geometry.experts else _FEED_FORWARD
    for name in (*_PER_LAYER, *block, *_PER_STEP, "lm_head"):
        if name not in found:
            raise DataError(f"lacks the operator {name}", where=str(path), fix="profile it")
    return found


def _at(operator: tuple[Floats, Floats], tokens: Floats) -> Floats:
    us: Floats = np.interp(tokens, *operator)
    return us


def _experts_us(
    operators: dict[str, tuple[Floats, Floats]], geometry: ModelGeometry, tp: int, tokens: Floats
) -> Floats:
    """Router and experts of one layer: experts / tp on a GPU, those touched run one by one."""
    share = geometry.experts_per_token / geometry.experts
    touched = geometry.experts * (1.0 - (1.0 - share) ** tokens)
    each = tokens * geometry.experts_per_token / touched
    one = sum((_at(operators[name], each) for name in _EXPERT), np.zeros(len(tokens)))
    us: Floats = _at(operators["gate"], tokens) + touched / tp * one
    return us


def _attention(folder: Path, geometry: ModelGeometry, gpu: str, tp: int) -> Attention:
    path = folder / "attention.parquet"
    if not path.is_file():
        return measured_attention(folder, gpu, geometry, tp)
    frame = read_table(path, ("prefill_chunk_size", "kv_cache_size", "batch_size", "is_prefill"))
    prefill_times, decode_times = _TPU_TIMES if _TPU_TIMES[0] in frame.columns else _GPU_TIMES
    per_sequence = prefill_times in _TPU_TIMES
    unit = _NS if per_sequence else _MS
    chunk, cached, us = _points(frame.filter("is_prefill"), "prefill_chunk_size", prefill_times)
    prefill = PrefillLines.of(chunk, cached, us * unit, within=0.0 if per_sequence else 0.5)
    seqs, keys, us = _points(frame.filter(~pl.col("is_prefill")), "batch_size", decode_times)
    each = keys if per_sequence else keys / seqs
    whole = each >= 1
    decode = DecodeGrid.of(seqs[whole], each[whole], us[whole] * unit)
    behind, most, context = cached.max(), seqs.max(), each.max()
    largest = np.array([[0, 0, most, context], [2048, behind, 0, 0], [2048, behind, most, context]])
    return Attention(
        prefill_us=prefill,
        decode_us=decode,
        largest=largest,
        origin="its own table, where long contexts are not split",
        max_context=float((seqs * each).max()),
    )


def _points(rows: pl.DataFrame, size: str, time: str) -> tuple[Floats, Floats, Floats]:
    """Sizes, keys and times of the rows that have one."""
    kept = rows.filter(pl.col(time) > 0)
    first, keys, times = (
        kept[name].to_numpy().astype(float) for name in (size, "kv_cache_size", time)
    )
    return first, keys, times


SOURCE = Source(
    "LLMServingSim perf_v0/GPU/ORG/MODEL/tpN", is_llmservingsim_v0, read_llmservingsim_v0
)
