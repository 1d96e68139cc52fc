"""Step samples from the published profile tables of LLMServingSim; see `operator_tables`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.latency.domain import kind_of
from workloadlab.latency.importers.operator_tables import AXES, SHAPE, OperatorTables, table_file

__all__ = ["is_llmservingsim", "read_llmservingsim"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

# The steps to compose: what engines visit, no larger than the profile. Totals are profiled counts
# (the chunk is what the decodes leave of it), since dense operators jump between them.
_DECODE_SEQS = (*range(1, 17), *range(20, 65, 4), *range(80, 257, 16))
_MIXED_SEQS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
_MIXED_TOTALS = (2, 4, 8, *range(16, 161, 16), 192, 224, *range(256, 2049, 64))
_DECODE_KV = (1, 64, 128, 256, *range(384, 1025, 128), 1280, 1536, *range(2048, 4097, 1024))
_DECODE_KV_LONG = (6144, 8192, 12288, 16384)
_MIXED_KV = (1, 128, 256, 512, 768, 1024, 1536, 2048, 4096, 8192)
_CACHED = (0, 128, 512, 1024, 2048, 4096, 8192, 16384)
_MIXED_CACHED = (0, 512, 2048, 8192)
_MAX_CONTEXT = 524_288  # tokens of KV cache: what 64 GiB hold at Llama-3.1-8B's 128 KiB a token


def is_llmservingsim(path: str | Path) -> bool:
    """Say whether `path` is a folder with such tables in it or below it."""
    return Path(path).is_dir() and bool(_table_folders(Path(path)))


def read_llmservingsim(path: str | Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Compose a step table from the tables in a folder, or in the only such folder below it.

    The rows are what engines visit rather than the profiler's grid: decode batches of 1 to 256
    sequences; prefills of 1 to 2048 tokens with up to 16384 cached; and mixed steps of 2 to 2048
    tokens, 1 to 128 of them decodes. `group` is the pair (prefill tokens, decode sequences).

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no tables there, tables of several configurations, or an unknown model.
        DataError: a table lacks a column, a value, a profiled shape or an operator.
    """
    tables = OperatorTables.read(_only_table_folder(Path(path)))
    steps = _steps_to_compose(tables)
    latency = tables.step_ns(steps)
    prefill, cached, seqs, context = steps.T.astype(np.int64)
    frame = pl.DataFrame(
        {
            "prefill_tokens": prefill,
            "prefill_context_tokens": prefill * cached,
            "decode_seqs": seqs,
            "decode_context_tokens": seqs * context,
            "latency_ns": np.rint(latency).astype(np.int64),
        }
    ).with_columns(
        gpu=pl.lit(tables.facts["hardware"]),
        model=pl.lit(tables.geometry.model),
        tp=pl.lit(tables.tp, pl.Int64),
        group=pl.format("{}+{}", "prefill_tokens", "decode_seqs"),
    )
    return frame, _model_facts(tables)


def _table_folders(path: Path) -> list[Path]:
    found = {
        file.parent for file in path.rglob("attention.csv*") if table_file(file.parent, "dense")
    }
    return sorted(found)


def _only_table_folder(path: Path) -> Path:
    if not path.is_dir():
        raise UsageError("no such folder", where=str(path), fix="name a folder perf/GPU/MODEL")
    found = _table_folders(path)
    if not found:
        raise UsageError(
            "holds no attention.csv and dense.csv",
            where=str(path),
            fix="name a folder perf/GPU/MODEL/DTYPE/tpN of LLMServingSim",
        )
    if len(found) > 1:
        inside = [str(folder.relative_to(path)) for folder in found]
        raise UsageError(
            f"holds tables of {len(found)} configurations",
            where=str(path),
            fix=f"name one of {', '.join(inside)}",
        )
    if not found[0].name.removeprefix("tp").isdigit():
        raise UsageError(
            "the tensor-parallel degree is not in the folder's name",
            where=str(found[0]),
            fix="call the folder tp1, tp2, ...",
        )
    return found[0]


def _steps_to_compose(tables: OperatorTables) -> Floats:
    """Rows of (chunk, cached tokens, decode sequences, context of each)."""

    def grid(*axes: Any) -> Floats:
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))

    decode = grid([0.0], [0.0], _DECODE_SEQS, (*_DECODE_KV, *_DECODE_KV_LONG))
    prefill = grid(tables.tokens, _CACHED, [0.0], [0.0])
    totals = np.intersect1d(_MIXED_TOTALS, tables.tokens)
    mixed = grid(totals, _MIXED_CACHED, _MIXED_SEQS, _MIXED_KV)
    mixed[:, 0] -= mixed[:, 2]
    steps = np.vstack([decode, prefill, mixed[mixed[:, 0] > 0]])
    largest = np.zeros((3, 4))  # profiled, by kind of step and axis
    for index, (kind, axes) in enumerate(AXES.items()):
        for axis, values in zip(axes, tables.attention[kind].grid, strict=True):
            largest[index, SHAPE.index(axis)] = values[-1]
    chunk, _, seqs, kv = steps.T
    kept = (
        (steps <= largest[kind_of(steps)]).all(axis=1)
        & (chunk + seqs <= tables.tokens[-1])
        & (seqs + (chunk > 0) <= tables.sequences[-1])
        & (seqs * kv <= _MAX_CONTEXT)
    )
    visited: Floats = steps[kept]
    return visited


def _model_facts(tables: OperatorTables) -> dict[str, Any]:
    facts = tables.facts
    notes = "composed from kernel times of one layer; CPU time between kernels is not included"
    if tables.tp > 1:
        notes += "; collectives between the GPUs are not included, so steps are too short"
    source = f"perf/{facts['hardware']}/{facts['model']}/{facts['variant']}/tp{tables.tp}"
    system = {
        "gpu_name": facts.get("gpu"),
        "engine": f"vLLM {facts['vllm_version']}" if "vllm_version" in facts else None,
        "cuda": facts.get("cuda_version"),
        "layers": tables.geometry.layers,
        "kv_bytes_per_token": tables.geometry.kv_bytes_per_token(),
    }
    return {
        "dtype": facts["variant"],
        "provenance": {
            "source": f"LLMServingSim profile tables, {source}",
            "url": "https://github.com/casys-kaist/LLMServingSim",
            "licence": "MIT",
            "notes": notes,
        },
        "system": {key: value for key, value in system.items() if value is not None},
    }
