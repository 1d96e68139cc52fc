"""Coarse step samples from aiconfigurator's silicon_sample.csv: serving runs at a fixed concurrency.

A row gives mean time to first token and mean time per output token of requests of `isl` and `osl`
tokens while `batch_size` of them are in flight. A mean step of such a run decodes that many
sequences at a context of isl + osl/2 and computes batch x isl/osl prompt tokens, and lasts as long
as one output token. At a concurrency of 1 the first token is a prefill of the prompt.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from workloadlab.latency.importers.selection import choose, read_table
from workloadlab.latency.importers.source import Facts, Source

__all__ = ["SOURCE", "is_silicon_sample", "read_silicon_sample"]

_COLUMNS = {"model": "model_path", "gpu": "system", "tp": "tp_size", "dtype": "precision"}
_MILLISECOND = 1_000_000  # ns


def is_silicon_sample(path: str | Path) -> bool:
    """Say whether `path` is such a file."""
    path = Path(path)
    return path.is_file() and path.name in {"silicon_sample.csv", "silicon_sample.csv.gz"}


def read_silicon_sample(
    path: str | Path,
    *,
    model: str | None = None,
    gpu: str | None = None,
    tp: int | None = None,
    dtype: str | None = None,
) -> tuple[pl.DataFrame, Facts]:
    """Read the aggregated (not disaggregated) vLLM runs of one configuration.

    Args:
        path: the file.
        model: the model's name.
        gpu: `h100_sxm`, `h200_sxm`, `b200_sxm`, ...
        tp: tensor-parallel degree.
        dtype: `bf16` (also rows without a precision), `fp8` or `fp4`.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no such configuration, or several to choose from.
        DataError: the file lacks a column.
    """
    path = Path(path)
    needed = ("backend", "mode", "batch_size", "isl", "osl", "silicon_ttft_ms", "silicon_tpot_ms")
    table = read_table(path, (*_COLUMNS.values(), *needed)).filter(
        pl.col("backend") == "vllm", pl.col("mode") == "agg", pl.col("batch_size") > 0
    )
    table = table.with_columns(pl.col("precision").fill_null("bf16"))
    wanted = {"model": model, "gpu": gpu, "tp": tp, "dtype": dtype}
    rows = choose(table, path, wanted, _COLUMNS)
    seqs, prompt, output = pl.col("batch_size"), pl.col("isl"), pl.col("osl")
    shape = pl.format("{}+{}x{}", "isl", "osl", "batch_size")
    prefill = rows.filter(seqs == 1, pl.col("silicon_ttft_ms") > 0).select(
        prefill_tokens=prompt,
        prefill_context_tokens=pl.lit(0, pl.Int64),
        decode_seqs=pl.lit(0, pl.Int64),
        decode_context_tokens=pl.lit(0, pl.Int64),
        latency_ns=(pl.col("silicon_ttft_ms") * _MILLISECOND).round().cast(pl.Int64),
        group=shape,
    )
    fresh = (seqs * prompt / output).round().cast(pl.Int64)
    mean = rows.filter(pl.col("silicon_tpot_ms") > 0).select(
        prefill_tokens=fresh,
        prefill_context_tokens=fresh * (prompt // 2) * (fresh > 0).cast(pl.Int64),
        decode_seqs=seqs,
        decode_context_tokens=seqs * (prompt + output // 2),
        latency_ns=(pl.col("silicon_tpot_ms") * _MILLISECOND).round().cast(pl.Int64),
        group=shape,
    )
    steps = pl.concat([prefill, mean]).with_columns(
        gpu=pl.lit(str(rows["system"][0]).removesuffix("_sxm")),
        model=pl.lit(rows["model_path"][0]),
        tp=pl.lit(rows["tp_size"][0], pl.Int64),
    )
    return steps.sort(steps.columns), {
        "dtype": rows["precision"][0],
        "provenance": {
            "source": "aiconfigurator system measurements, silicon_sample.csv, vLLM",
            "url": "https://github.com/ai-dynamo/aiconfigurator",
            "licence": "Apache-2.0",
            "notes": "coarse: mean steps of serving runs at a fixed concurrency; CPU time and "
            "collectives are included, so replay needs no step overhead",
        },
        "system": {"level": "system", "includes_step_overhead": True},
    }


SOURCE = Source("aiconfigurator silicon_sample.csv", is_silicon_sample, read_silicon_sample)
