"""Coarse step samples from LLM-Inference-Bench: All_results.csv, whole batches of equal requests.

A row gives the seconds in which a batch of b prompts of L tokens was prefilled and each produced L
tokens. Rows of one configuration are split into prefill and decode by non-negative least squares on
relative errors,

    seconds = (prefill s) b L + L ((step s) + (context s) 1.5 b L):

the part that grows with the number of tokens alone is prefill, since decode waits for memory. Each row
leaves two samples: a prefill of b L tokens, and the mean decode step. A batch of 8 prompts of 1024
tokens is one prefill of 8192 tokens and one decode of 8 sequences with 12,288 tokens of context.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from workloadlab.errors import UsageError
from workloadlab.latency.importers.selection import choose, read_table
from workloadlab.latency.importers.source import Facts, Source
from workloadlab.latency.step import FEATURES

__all__ = ["SOURCE", "is_llm_inference_bench", "read_llm_inference_bench"]

_COLUMNS = {
    "gpu": "Hardware",
    "tp": "Num of Hardware",
    "engine": "Framework",
    "model": "Model",
}
_LENGTH, _BATCH, _LATENCY = "Input Output Length", "Batch Size", "Latency"
_GPUS = {
    "Nvidia A100 GPU": "A100-40GB",
    "Nvidia H100 GPU": "H100-SXM",
    "Nvidia GH200 GPU": "GH200",
    "AMD MI300X GPU": "MI300X",
}
_FEWEST = 6


def is_llm_inference_bench(path: str | Path) -> bool:
    """Say whether `path` is such a file."""
    path = Path(path)
    return path.is_file() and path.name in {"All_results.csv", "All_results.csv.gz"}


def read_llm_inference_bench(
    path: str | Path, *, model: str | None = None, gpu: str | None = None, tp: int | None = None
) -> tuple[pl.DataFrame, Facts]:
    """Read the batches of one model on one kind of GPU with vLLM.

    Args:
        path: the file.
        model: the model's name.
        gpu: as in the file (`Nvidia A100 GPU`) or as in the hardware table (`A100-40GB`).
        tp: number of GPUs.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no such configuration, several to choose from, or too few rows of it.
        DataError: the file lacks a column.
    """
    path = Path(path)
    table = read_table(path, (*_COLUMNS.values(), _LENGTH, _BATCH, _LATENCY))
    table = table.filter(pl.col("Framework") == "vLLM", pl.col(_LATENCY) > 0)
    named = next((theirs for theirs, ours in _GPUS.items() if ours == gpu), gpu)
    chosen = {"gpu": named, "tp": tp, "model": model}
    rows = choose(table, path, chosen, {name: _COLUMNS[name] for name in chosen})
    rows = rows.group_by(_LENGTH, _BATCH).agg(pl.col(_LATENCY).median(), *_first())
    rows = rows.sort(_LENGTH, _BATCH)
    if rows.height < _FEWEST:
        raise UsageError(
            f"has {rows.height} batches of this configuration, too few to tell prefill from decode",
            where=str(path),
            fix=f"choose one with {_FEWEST} or more",
        )
    length, batch = (rows[name].to_numpy().astype(float) for name in (_LENGTH, _BATCH))
    seconds = rows[_LATENCY].to_numpy()
    prefill_s = _prefill_share(length, batch, seconds)
    count, theirs = rows.height, rows["Hardware"][0]
    zero = np.zeros(count)
    features = np.vstack(
        [
            np.column_stack([batch * length, zero, zero, zero]),
            np.column_stack([zero, zero, batch, np.floor(1.5 * batch * length)]),
        ]
    ).astype(np.int64)
    latency = np.concatenate([prefill_s, (seconds - prefill_s) / length])
    steps = pl.DataFrame(dict(zip(FEATURES, features.T, strict=True))).with_columns(
        latency_ns=pl.Series(np.rint(latency * 1e9).astype(np.int64)),
        gpu=pl.lit(_GPUS.get(theirs, theirs)),
        model=pl.lit(rows["Model"][0]),
        tp=pl.lit(rows["Num of Hardware"][0], pl.Int64),
        group=pl.Series([f"{b:g}x{n:g}" for b, n in zip(batch, length, strict=True)] * 2),
    )
    return steps.filter(pl.col("latency_ns") > 0), {
        "dtype": None,
        "provenance": {
            "source": "LLM-Inference-Bench, All_results.csv, vLLM",
            "url": "https://github.com/argonne-lcf/LLM-Inference-Bench",
            "licence": "BSD-3-Clause",
            "notes": "coarse: whole batches, split into prefill and mean decode step by least "
            "squares; CPU time and collectives are included, so replay needs no step overhead; no "
            "mixed steps and no cached prefixes were measured",
        },
        "system": {"level": "system", "includes_step_overhead": True},
    }


def _first() -> list[pl.Expr]:
    return [pl.col(name).first() for name in _COLUMNS.values()]


def _prefill_share(length: Any, batch: Any, seconds: Any) -> Any:
    """Seconds of every batch that its prefill took."""
    from scipy.optimize import nnls

    terms = np.column_stack([batch * length, length, 1.5 * batch * length**2])
    solution, _ = nnls(terms / seconds[:, None], np.ones(len(seconds)))
    fitted = terms @ solution
    return seconds * terms[:, 0] * solution[0] / fitted


SOURCE = Source(
    "LLM-Inference-Bench All_results.csv", is_llm_inference_bench, read_llm_inference_bench
)
