"""Step samples from Vidur's profiles: compute/GPU/ORG__MODEL with mlp.parquet.

`mlp.parquet` holds milliseconds of one layer's operators by tokens and tensor-parallel degree,
`attention.parquet` those of attention. Where the latter was not published the kernels come from
`compute_2023/GPU` if the heads are the same, else from aiconfigurator's tables of the same GPU. The
output head was not profiled: it is the gate and up projection (the same rows, the same inner
width) scaled by its number of columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.latency.hardware.collectives import tensor_parallel
from workloadlab.latency.hardware.limits import kv_blocks
from workloadlab.latency.importers.aiconfigurator_attention import measured_attention
from workloadlab.latency.importers.attention import Attention, DecodeGrid, PrefillLines, mixed_note
from workloadlab.latency.importers.composition import StepCosts
from workloadlab.latency.importers.selection import (
    find_around,
    geometry_of,
    licence_of,
    only_folder,
    read_table,
)
from workloadlab.latency.importers.source import Facts, Source

if TYPE_CHECKING:
    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = ["SOURCE", "is_vidur", "read_vidur"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

_LAYOUT = "compute/GPU/ORG__MODEL with mlp.parquet"
_GPUS = {"a100": "A100-80GB", "h100": "H100-SXM"}
_PER_LAYER = (
    "input_layernorm",
    "attn_pre_proj",
    "attn_rope",
    "attn_post_proj",
    "post_attention_layernorm",
    "mlp_up_proj",
    "mlp_act",
    "mlp_down_proj",
    "add",
)
_AROUND = ("attn_input_reshape", "attn_output_reshape", "attn_kv_cache_save")
_MS = 1e3  # to microseconds
_SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)


def is_vidur(path: str | Path) -> bool:
    """Say whether `path` is a folder with such tables in it or below it."""
    return Path(path).is_dir() and any(Path(path).rglob("mlp.parquet"))


def read_vidur(path: str | Path, *, tp: int | None = None) -> tuple[pl.DataFrame, Facts]:
    """Compose a step table from the tables in a folder, or in the only such folder below it.

    Args:
        path: the folder.
        tp: tensor-parallel degree; the smallest on which the weights fit otherwise.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no tables there, several configurations, an unknown model, a degree that was not
            profiled, or attention that nothing measured.
        DataError: a table lacks a column, or the profile is of another shape than the model.
    """
    path = Path(path)
    layout = (file.parent for file in path.rglob("mlp.parquet"))
    folder = only_folder(path, layout, _LAYOUT).resolve()
    gpu = _GPUS.get(folder.parent.name, folder.parent.name.upper())
    geometry = geometry_of(folder, folder.name.replace("__", "/").replace("Qwen-2", "Qwen2"))
    table = read_table(
        folder / "mlp.parquet",
        (
            *("num_tokens", "num_tensor_parallel_workers", "n_embd", "n_expanded_embd"),
            *(f"time_stats.{name}.median" for name in (*_PER_LAYER, "emb")),
        ),
    )
    _check_shape(table, geometry, folder)
    tp = _degree(table, geometry, gpu, folder, tp)
    costs = _costs(table, folder, geometry, gpu, tp)
    notes = [
        "composed from kernel times of one layer; CPU time between kernels is not included",
        f"attention from {costs.attention.origin}; {mixed_note(costs.attention)}",
        "output head scaled from the gate and up projection",
    ]
    if costs.exchanges:
        notes.append(str(costs.exchanges))
    facts: Facts = {
        "dtype": "fp16",
        "provenance": {
            "source": f"Vidur profiles, compute/{folder.parent.name}/{folder.name}",
            "url": "https://github.com/microsoft/vidur",
            "licence": licence_of("MIT", "; ".join(notes)),
            "notes": "; ".join(notes),
        },
        "system": {
            "layers": geometry.layers,
            "kv_bytes_per_token": geometry.kv_bytes_per_token(),
        },
        "terms": costs.terms(gpu),
    }
    return costs.frame(gpu), facts


def _check_shape(table: pl.DataFrame, geometry: ModelGeometry, folder: Path) -> None:
    profiled = table.select("n_embd", "n_expanded_embd").row(0)
    if profiled != (geometry.hidden, geometry.intermediate):
        raise DataError(
            f"was profiled with widths {profiled}, and {geometry.model} has "
            f"({geometry.hidden}, {geometry.intermediate})",
            where=str(folder / "mlp.parquet"),
            fix="put the model's config.json into the folder",
        )


def _degree(
    table: pl.DataFrame, geometry: ModelGeometry, gpu: str, folder: Path, tp: int | None
) -> int:
    degrees = table["num_tensor_parallel_workers"].unique().sort().to_list()
    if tp is not None and tp not in degrees:
        raise UsageError(
            f"tp = {tp} was not profiled",
            where=str(folder),
            fix=f"use one of {', '.join(map(str, degrees))}",
        )
    if tp is not None:
        return tp
    for degree in degrees:
        try:
            kv_blocks(geometry, gpu, tp=degree)
        except UsageError:
            continue
        return int(degree)
    return int(degrees[-1])


def _costs(
    table: pl.DataFrame, folder: Path, geometry: ModelGeometry, gpu: str, tp: int
) -> StepCosts:
    rows = table.filter(pl.col("num_tensor_parallel_workers") == tp)
    tokens = rows["num_tokens"].unique().sort().to_numpy().astype(float)
    tokens = tokens[tokens <= 8192]
    operators = {name: _operator(rows, name, tokens) for name in (*_PER_LAYER, "emb")}
    sequences = np.array(_SEQUENCES, float)
    columns = geometry.vocab / (2 * geometry.intermediate)
    head = np.interp(sequences, tokens, operators["mlp_up_proj"]) * columns
    return StepCosts(
        geometry=geometry,
        tp=tp,
        tokens=tokens,
        layer_us=sum((operators[name] for name in _PER_LAYER), np.zeros(len(tokens))),
        once_us=operators["emb"] + operators["input_layernorm"],
        sequences=sequences,
        head_us=head,
        attention=_attention(folder, geometry, gpu, tp),
        exchanges=tensor_parallel(folder, gpu, tp) if tp > 1 else None,
    )


def _operator(rows: pl.DataFrame, name: str, tokens: Floats) -> Floats:
    time = f"time_stats.{name}.median"
    points = rows.group_by("num_tokens").agg(pl.col(time).median()).drop_nulls().sort("num_tokens")
    if points.is_empty():
        raise DataError(f"has no times of {name} for this tp", where="mlp.parquet")
    us: Floats = np.interp(tokens, points["num_tokens"], points[time]) * _MS
    return us


def _attention(folder: Path, geometry: ModelGeometry, gpu: str, tp: int) -> Attention:
    older = find_around(folder, f"vidur/compute_2023/{folder.parent.name}/attention.parquet")
    for path in (folder / "attention.parquet", older):
        if path is not None and path.is_file():
            mine = read_table(path, ("n_q_head", "n_kv_head", "n_embd")).filter(
                pl.col("n_q_head") == geometry.heads,
                pl.col("n_kv_head") == geometry.kv_heads,
                pl.col("n_embd") == geometry.hidden,
                pl.col("num_tensor_parallel_workers") == tp,
            )
            if not mine.is_empty():
                where = "/".join(path.parts[-3:])
                return _vidur_attention(mine, f"Vidur {where}")
    return measured_attention(folder, gpu, geometry, tp)


def _vidur_attention(table: pl.DataFrame, origin: str) -> Attention:
    around = [f"time_stats.{name}.median" for name in _AROUND]
    extra = pl.sum_horizontal(pl.col(name) for name in around if name in table.columns)

    def points(kind: str, *axes: str) -> list[Floats]:
        time = f"time_stats.attn_{kind}.median"
        rows = table.filter(
            pl.col("is_prefill") == (kind == "prefill"), pl.col(time) > 0
        ).with_columns(us=(pl.col(time) + extra) * _MS)
        return [rows[name].to_numpy().astype(float) for name in (*axes, "us")]

    prefill = points("prefill", "prefill_chunk_size", "kv_cache_size")
    decode = points("decode", "batch_size", "kv_cache_size")
    largest = np.array(
        [
            [0, 0, decode[0].max(), decode[1].max() + 64],
            [prefill[0].max(), prefill[1].max() + 64, 0, 0],
            [prefill[0].max(), prefill[1].max() + 64, decode[0].max(), decode[1].max() + 64],
        ]
    )
    return Attention(
        prefill_us=PrefillLines.of(*prefill),
        decode_us=DecodeGrid.of(*decode),
        largest=largest,
        origin=origin,
    )


SOURCE = Source("Vidur compute/GPU/ORG__MODEL", is_vidur, read_vidur)
