"""Step samples from Splitwise's measured iterations: perf_model.csv.

Every row gives the milliseconds of one prefill iteration (`prompt_time`, of `batch_size` prompts)
and the mean of the decode iterations after it (`token_time`, over `token_size` tokens). They are
whole iterations on a DGX: kernels, collectives and the engine's own time. Prompts of a batch count
as one chunk of their total length, the context of a decode as its mean over the iterations.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from workloadlab.latency.importers.selection import choose, read_table
from workloadlab.latency.importers.source import Facts, Source

__all__ = ["SOURCE", "is_splitwise", "read_splitwise"]

_COLUMNS = (
    "model",
    "hardware",
    "tensor_parallel",
    "prompt_size",
    "batch_size",
    "token_size",
    "prompt_time",
    "token_time",
)
_MILLISECOND = 1_000_000  # ns
_MODELS = {"llama2-70b": "meta-llama/Llama-2-70b-hf", "bloom-176b": "bigscience/bloom"}


def is_splitwise(path: str | Path) -> bool:
    """Say whether `path` is such a file."""
    path = Path(path)
    return path.is_file() and path.name in {"perf_model.csv", "perf_model.csv.gz"}


def read_splitwise(
    path: str | Path, *, model: str | None = None, gpu: str | None = None, tp: int | None = None
) -> tuple[pl.DataFrame, Facts]:
    """Read the iterations of one model on one machine; repeated rows count once.

    Args:
        path: the file.
        model: `llama2-70b` or `bloom-176b`.
        gpu: `a100-80gb`, `h100-80gb` or `h100-80gb-pcap` (power capped).
        tp: tensor-parallel degree.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no such configuration, or several to choose from.
        DataError: the file lacks a column.
    """
    path = Path(path)
    table = read_table(path, _COLUMNS).unique(maintain_order=True)
    rows = choose(
        table,
        path,
        {"model": model, "gpu": gpu, "tp": tp},
        {"model": "model", "gpu": "hardware", "tp": "tensor_parallel"},
    )
    seqs, prompt = pl.col("batch_size"), pl.col("prompt_size")
    shape = pl.format("{}x{}", "batch_size", "prompt_size")
    served = rows["model"][0]
    prefill = rows.filter(pl.col("prompt_time") > 0).select(
        prefill_tokens=seqs * prompt,
        prefill_context_tokens=pl.lit(0, pl.Int64),
        decode_seqs=pl.lit(0, pl.Int64),
        decode_context_tokens=pl.lit(0, pl.Int64),
        latency_ns=(pl.col("prompt_time") * _MILLISECOND).round().cast(pl.Int64),
        group=pl.format("prefill {}", shape),
    )
    decode = rows.filter(pl.col("token_time") > 0).select(
        prefill_tokens=pl.lit(0, pl.Int64),
        prefill_context_tokens=pl.lit(0, pl.Int64),
        decode_seqs=seqs,
        decode_context_tokens=seqs * (prompt + pl.col("token_size") // 2),
        latency_ns=(pl.col("token_time") * _MILLISECOND).round().cast(pl.Int64),
        group=pl.format("decode {}+{}", shape, "token_size"),
    )
    steps = pl.concat([prefill, decode]).with_columns(
        gpu=pl.lit(rows["hardware"][0]),
        model=pl.lit(_MODELS.get(served, served)),
        tp=pl.lit(rows["tensor_parallel"][0], pl.Int64),
    )
    return steps.sort(steps.columns), {
        "dtype": "fp16",
        "provenance": {
            "source": "Splitwise measured iterations, perf_model.csv",
            "url": "https://github.com/Mutinifni/splitwise-sim",
            "licence": "MIT",
            "notes": "whole iterations: CPU time and collectives are included, so replay needs no "
            "step overhead; prefill batches of 64 are odd (some faster than batches of 32); no "
            "mixed steps and no cached prefixes were measured",
        },
        "system": {"level": "iteration", "includes_step_overhead": True},
    }


SOURCE = Source("Splitwise perf_model.csv", is_splitwise, read_splitwise)
