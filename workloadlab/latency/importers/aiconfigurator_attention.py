"""Attention from aiconfigurator's tables, for its own importer and for sources that lack it.

Prefill of a chunk p behind c cached tokens was not measured; it takes the share of a whole prompt's
attention that its pairs are, 1 - (c / (c + p))^2 at c + p, and not less than the chunk alone. Decode
of more KV heads than measured is a larger batch of fewer heads.

FlashAttention 2 (the tables of A100) computes decodes beside a prefill as whole tiles of 128 rows for
every query head: 4 x 128 x heads x head_dim operations per cached token, at 1 / 1.4 of the peak. The
mixed kernels measured on RTX GPUs lie there (0.7 to 1.4 of it, with 4 or 8 heads per KV head), and the
unsplit ones on an A6000 (1.4); mixed steps were not measured on A100.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.importers.attention import Attention, DecodeGrid
from workloadlab.latency.importers.selection import find_around, read_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloadlab.latency.hardware.geometry import ModelGeometry
    from workloadlab.latency.hardware.gpus import Gpu

__all__ = ["MOST_TOKENS", "measured_attention"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

MOST_TOKENS = 8192
"""Largest step that is composed, in prefill tokens."""

_SYSTEMS = {"A100-80GB": "a100_sxm", "H100-SXM": "h100_sxm", "H200": "h200_sxm"}
_MS = 1e3  # to microseconds
_TILE_ROWS, _TILE_COST = 128, 1.4


def measured_attention(path: Path, gpu: str, geometry: ModelGeometry, tp: int) -> Attention:
    """Attention of one layer on one GPU, from the tables of that GPU in or around `path`.

    Raises:
        UsageError: nothing measured attention of this GPU or of these heads.
    """
    system = _SYSTEMS.get(find_gpu(gpu).name, "")
    around = find_around(path, f"aiconfigurator/{system}") if system else None
    folder = path if (path / "context_attention_perf.parquet").is_file() else None
    if folder is None and around is not None:
        folder = next((file.parent for file in sorted(around.rglob("context_att*.parquet"))), None)
    if folder is None:
        raise UsageError(
            f"has no attention.parquet, and no source around it measured attention on {gpu}",
            where=str(path),
            fix="add attention.parquet, or keep aiconfigurator's tables of this GPU in a folder above "
            "(it has A100, H100 and H200)",
        )
    prefill, longest = _prefill(folder / "context_attention_perf.parquet", geometry, tp)
    decode, context = _decode(folder / "generation_attention_perf.parquet", geometry, tp)
    largest = np.array(
        [
            [0, 0, 256, context],
            [MOST_TOKENS, longest - 512, 0, 0],
            [2048, longest - 2048, 256, context],
        ]
    )
    return Attention(
        prefill_us=prefill,
        decode_us=decode,
        mixed_decode_us=_beside_prefill(folder, decode, find_gpu(gpu), geometry, tp),
        largest=largest,
        origin=f"aiconfigurator {folder.parent.name}/{folder.name}",
    )


def _beside_prefill(
    folder: Path,
    decode: Callable[[Floats, Floats], Floats],
    gpu: Gpu,
    geometry: ModelGeometry,
    tp: int,
) -> Callable[[Floats, Floats], Floats] | None:
    """Cost decodes in a mixed batch of FlashAttention 2; later versions treat them as if alone."""
    sources = read_table(folder / "generation_attention_perf.parquet", ("kernel_source",))
    if set(sources["kernel_source"].unique()) != {"vllm_flash_attn"}:
        return None
    operations = 4 * _TILE_ROWS * geometry.head_dim * geometry.heads / tp
    per_key_us = _TILE_COST * operations / gpu.flops["bf16"] * 1e6

    def beside(seqs: Floats, each: Floats) -> Floats:
        us: Floats = np.maximum(decode(seqs, each), per_key_us * seqs * each)
        return us

    return beside


def _of_heads(path: Path, geometry: ModelGeometry, heads: float, kv_heads: float) -> pl.DataFrame:
    table = read_table(path, ("num_heads", "num_key_value_heads", "head_dim", "kv_cache_dtype"))
    rows = table.filter(
        pl.col("num_heads") == heads,
        pl.col("num_key_value_heads") == kv_heads,
        pl.col("head_dim") == geometry.head_dim,
        pl.col("kv_cache_dtype") == "bfloat16",
        pl.col("latency") > 0,
    )
    return rows.filter(pl.col("window_size") == 0) if "window_size" in rows.columns else rows


def _not_measured(path: Path, geometry: ModelGeometry, tp: int) -> UsageError:
    return UsageError(
        f"attention of {geometry.heads} heads, {geometry.kv_heads} KV heads of {geometry.head_dim} "
        f"on {tp} GPUs was not measured",
        where=str(path),
        fix="use another tp, or a model with a measured number of heads",
    )


def _prefill(
    path: Path, geometry: ModelGeometry, tp: int
) -> tuple[Callable[[Floats, Floats], Floats], float]:
    heads, kv_heads = geometry.heads / tp, max(geometry.kv_heads / tp, 1)
    rows = _of_heads(path, geometry, heads, kv_heads).filter(pl.col("batch_size") == 1)
    if rows.height < 2:
        raise _not_measured(path, geometry, tp)
    points = rows.group_by("isl").agg(pl.col("latency").median()).sort("isl")
    length, us = points["isl"].to_numpy().astype(float), points["latency"].to_numpy() * _MS

    def prefill(chunk: Floats, cached: Floats) -> Floats:
        whole = chunk + cached
        share = 1.0 - (cached / np.maximum(whole, 1.0)) ** 2
        behind = np.maximum(np.interp(whole, length, us) * share, np.interp(chunk, length, us))
        time: Floats = np.where(chunk > 0, behind, 0.0)
        return time

    return prefill, float(length[-1])


def _decode(
    path: Path, geometry: ModelGeometry, tp: int
) -> tuple[Callable[[Floats, Floats], Floats], float]:
    heads, kv_heads = geometry.heads / tp, max(geometry.kv_heads / tp, 1)
    for fold in (1, 2, 4, 8, 16):  # KV heads are independent: fold of them are fold sequences
        rows = _of_heads(path, geometry, heads / fold, kv_heads / fold)
        if rows.height >= 2:
            break
    else:
        raise _not_measured(path, geometry, tp)
    context = rows["step"].to_numpy() + 1.0
    grid = DecodeGrid.of(
        rows["batch_size"].to_numpy().astype(float), context, rows["latency"].to_numpy() * _MS
    )

    def decode(seqs: Floats, each: Floats) -> Floats:
        return grid(seqs * fold, each)

    return decode, float(context.max())
