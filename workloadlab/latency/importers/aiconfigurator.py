"""Step samples from aiconfigurator's kernel tables: SYSTEM/FRAMEWORK-VERSION/*_perf.parquet.

The tables belong to a GPU and an engine, not to a model: matrix products by (m, n, k), prefill and
decode attention by heads, experts by their shape, all in milliseconds. A model's operators are
looked up by its shape: products log-linear between measured n and k, in two halves beyond them.
Element-wise kernels were not measured and are taken from the memory bandwidth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.collectives import tensor_parallel
from workloadlab.latency.hardware.geometry import ModelGeometry
from workloadlab.latency.hardware.gpus import Gpu, find_gpu
from workloadlab.latency.hardware.links import GivenLink
from workloadlab.latency.importers.aiconfigurator_attention import MOST_TOKENS, measured_attention
from workloadlab.latency.importers.attention import mixed_note
from workloadlab.latency.importers.composition import StepCosts
from workloadlab.latency.importers.selection import only_folder, read_table
from workloadlab.latency.importers.source import Facts, Source

__all__ = ["SOURCE", "is_aiconfigurator", "read_aiconfigurator"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_LAYOUT = "SYSTEM/FRAMEWORK-VERSION with gemm_perf.parquet"
_GEMM_DTYPES = {"bf16": "bfloat16", "fp8": "fp8"}
_MS = 1e3  # to microseconds
_TOKENS = (*range(1, 17), *range(32, 193, 16), *range(256, 2049, 64), *range(2304, 8193, 256))
_SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)
_LAUNCH_US = 1.5  # of one small kernel inside a CUDA graph
_STREAM = 0.8  # share of the memory bandwidth that element-wise kernels reach


def is_aiconfigurator(path: str | Path) -> bool:
    """Say whether `path` is a folder with such tables in it or below it."""
    return Path(path).is_dir() and any(Path(path).rglob("gemm_perf.parquet"))


def read_aiconfigurator(
    path: str | Path,
    *,
    model: str | None = None,
    tp: int | None = None,
    dtype: str = "bf16",
    link_latency_s: float | None = None,
    link_bytes_s: float | None = None,
) -> tuple[pl.DataFrame, Facts]:
    """Compose a step table of a model from the kernel tables in a folder, or the only one below it.

    Args:
        path: the folder.
        model: the model's name; a `config.json` in the folder otherwise.
        tp: tensor-parallel degree, 1 otherwise.
        dtype: of the weights, `bf16` or `fp8`; the output head stays bf16.
        link_latency_s: seconds of a collective between the GPUs, whatever it sends; by default measured.
        link_bytes_s: bytes per second of its traffic; the same.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no tables there, several systems, no or an unknown model, a dtype or a number of
            heads that was not measured.
        DataError: a table lacks a column.
    """
    path, tp = Path(path), tp or 1
    layout = (file.parent for file in path.rglob("gemm_perf.parquet"))
    folder = only_folder(path, layout, _LAYOUT).resolve()
    if dtype not in _GEMM_DTYPES:
        raise UsageError(f"dtype {dtype!r} is not read", fix=f"use {' or '.join(_GEMM_DTYPES)}")
    geometry = _model(folder, model)
    gpu = find_gpu(folder.parent.name.removesuffix("_sxm"))
    link = GivenLink(link_latency_s, link_bytes_s)
    products = _Products(folder, dtype)
    measured = products.rows[products.rows <= MOST_TOKENS]
    tokens = np.union1d(measured, np.array(_TOKENS, float))
    heads = products if dtype == "bf16" else _Products(folder, "bf16")
    sequences = np.array(_SEQUENCES, float)
    costs = StepCosts(
        geometry=geometry,
        tp=tp,
        tokens=tokens,
        layer_us=_layer_us(products, folder, geometry, gpu, tp, tokens),
        once_us=_stream_us(gpu, tokens * geometry.hidden * 2 * 4, kernels=2),
        sequences=sequences,
        head_us=heads(sequences, geometry.vocab / tp, geometry.hidden)
        + _stream_us(gpu, sequences * geometry.vocab * 4 * 3, kernels=3),
        attention=measured_attention(folder, gpu.name, geometry, tp),
        exchanges=tensor_parallel(folder, gpu.name, tp, link) if tp > 1 else None,
    )
    return costs.frame(gpu.name), _facts(costs, folder, dtype, gpu.name)


def _model(folder: Path, model: str | None) -> ModelGeometry:
    config = folder / "config.json"
    if config.is_file():
        return ModelGeometry.from_config(config, model=model)
    if model is None:
        raise UsageError(
            "holds kernels for any model, and none is named",
            where=str(folder),
            fix="name one, such as model=Llama-3.1-8B, or put its config.json into the folder",
        )
    return ModelGeometry.named(model)


def _facts(costs: StepCosts, folder: Path, dtype: str, gpu: str) -> Facts:
    system, engine = folder.parts[-2:]
    notes = [
        "composed from kernel times, interpolated in tokens, n and k",
        "CPU time between kernels is not included",
        "element-wise kernels estimated from the memory bandwidth",
        f"attention behind cached tokens by its share of pairs; {mixed_note(costs.attention)}",
    ]
    if costs.exchanges:
        notes.append(str(costs.exchanges))
    return {
        "dtype": dtype,
        "provenance": {
            "source": f"aiconfigurator kernel tables, {system}/{engine}",
            "url": "https://github.com/ai-dynamo/aiconfigurator",
            "licence": "Apache-2.0",
            "notes": "; ".join(notes),
        },
        "system": {
            "engine": engine.replace("vllm-", "vLLM "),
            "layers": costs.geometry.layers,
            "kv_bytes_per_token": costs.geometry.kv_bytes_per_token(),
        },
        "terms": costs.terms(gpu),
    }


class _Products:
    """Matrix products of one dtype: microseconds of (m, k) x (k, n)."""

    def __init__(self, folder: Path, dtype: str) -> None:
        from scipy.interpolate import RegularGridInterpolator

        path = folder / "gemm_perf.parquet"
        table = read_table(path, ("gemm_dtype", "m", "n", "k", "latency"))
        rows = table.filter(pl.col("gemm_dtype") == _GEMM_DTYPES[dtype], pl.col("latency") > 0)
        if rows.is_empty():
            raise UsageError(f"holds no {dtype} products", where=str(path), fix="use bf16")
        rows = rows.group_by("m", "n", "k").agg(pl.col("latency").min()).sort("m", "n", "k")
        self.rows, self.columns, inner = (
            rows[name].unique().sort().to_numpy().astype(float) for name in ("m", "n", "k")
        )
        grid = np.full((len(self.rows), len(self.columns), len(inner)), np.nan)
        place = (
            np.searchsorted(axis, rows[name].to_numpy())
            for axis, name in ((self.rows, "m"), (self.columns, "n"), (inner, "k"))
        )
        grid[tuple(place)] = rows["latency"].to_numpy() * _MS
        _fill_largest(grid, self.columns)
        axes = tuple(np.log(axis) for axis in (self.rows, self.columns, inner))
        self._log_us = RegularGridInterpolator(axes, np.log(grid))
        self._least, self._inner = self.columns[0], inner

    def __call__(self, m: Floats, n: float, k: float) -> Floats:
        """Microseconds at every m; n beyond the table in equal parts, one after another."""
        parts = int(np.ceil(n / self.columns[-1]))
        width = max(n / parts, self._least)
        inner = np.clip(k, self._inner[0], self._inner[-1])
        points = np.log(np.column_stack(np.broadcast_arrays(m, width, inner)))
        us: Floats = parts * np.exp(self._log_us(points))
        return us


def _fill_largest(grid: Floats, columns: Floats) -> None:
    """Products too large to be measured grow as the one before them in n."""
    for column in range(1, len(columns)):
        missing = np.isnan(grid[:, column])
        grown = grid[:, column - 1] * columns[column] / columns[column - 1]
        grid[:, column][missing] = grown[missing]


def _layer_us(
    products: _Products, folder: Path, geometry: ModelGeometry, gpu: Gpu, tp: int, tokens: Floats
) -> Floats:
    """All of one layer but attention, at `tokens`."""
    hidden, width = geometry.hidden, geometry.head_dim
    queries = geometry.heads * width / tp
    keys = max(geometry.kv_heads / tp, 1) * width
    us = products(tokens, queries + 2 * keys, hidden) + products(tokens, hidden, queries)
    # Bytes: two fused add-and-norm of 4 passes, rotary and cache write, gate times activation.
    moved = tokens * 2 * (8 * hidden + 2 * (queries + 2 * keys))
    if geometry.experts:
        us = us + products(tokens, geometry.experts, hidden)
        us = us + _experts_us(folder, geometry, tp, tokens)
    else:
        inner = geometry.intermediate / tp
        us = us + products(tokens, 2 * inner, hidden) + products(tokens, hidden, inner)
        moved = moved + tokens * 2 * 3 * inner
    layer: Floats = us + _stream_us(gpu, moved, kernels=5)
    return layer


def _stream_us(gpu: Gpu, moved: Floats, *, kernels: int) -> Floats:
    us: Floats = kernels * _LAUNCH_US + moved / (_STREAM * gpu.memory_bytes_s) * 1e6
    return us


def _experts_us(folder: Path, geometry: ModelGeometry, tp: int, tokens: Floats) -> Floats:
    """One layer's experts, each split over the GPUs, with the most even routing measured."""
    path = folder / "moe_perf.parquet"
    table = read_table(path, ("moe_dtype", "num_tokens", "distribution", "latency"))
    rows = table.filter(
        pl.col("moe_dtype") == "bfloat16",
        pl.col("hidden_size") == geometry.hidden,
        pl.col("inter_size") == geometry.intermediate,
        pl.col("topk") == geometry.experts_per_token,
        pl.col("num_experts") == geometry.experts,
        pl.col("moe_tp_size") == tp,
        pl.col("moe_ep_size") == 1,
    )
    if rows.is_empty():
        raise UsageError(
            f"experts of the shape of {geometry.model} on {tp} GPUs were not measured",
            where=str(path),
            fix="use another tp, or a model with measured experts",
        )
    even = rows["distribution"].unique().sort()[0]  # balanced < power_law_1.01 < power_law_1.2
    rows = rows.filter(pl.col("distribution") == even)
    points = rows.group_by("num_tokens").agg(pl.col("latency").min()).sort("num_tokens")
    us: Floats = np.interp(tokens, points["num_tokens"], points["latency"]) * _MS
    return us


SOURCE = Source("aiconfigurator SYSTEM/FRAMEWORK-VERSION", is_aiconfigurator, read_aiconfigurator)
