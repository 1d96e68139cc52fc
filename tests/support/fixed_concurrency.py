"""Serving runs at a fixed concurrency: rows of mean TTFT and TPOT, and the load behind each.

The rows are those of ai-dynamo/aiconfigurator's silicon_sample.csv: `batch_size` clients each send a
prompt of `isl` tokens for `osl` tokens of output, and the next one when the answer has ended. How many
requests were sent and whether lengths varied is not recorded. Such benchmarks send ten for each client,
all of the first at once, so a tenth of the mean TTFT is that burst; and their clients fall out of step,
else all prompts would come together for ever. Lengths drawn 5, 20 or 50 % around the stated one give the
same errors.

Two groups of rows are left out, for their systems cannot have been what the row says. Llama-3.1-8B FP8
(19 rows): up to 95,000 prompt tokens a second on one H200 are 1.5 of its 2.0 PFLOP/s, beside decoding;
prompts were cached, perhaps. Qwen3-32B FP8 (3 rows): a step of 24 sequences reads 33 GB of weights and
28 GB of KV cache, 18 ms at the full bandwidth of an H100, and 17 ms are stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from support.rate_sweeps import HTTP_S
from support.traces import requests_at_ns
from workloadlab.latency import fit
from workloadlab.simulation import Cluster, replay

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.latency import LatencyModel
    from workloadlab.trace import Trace

__all__ = ["Row", "dense_rows", "errors_of"]

FOLDER = "aiconfigurator"
DENSE = ("Qwen/Qwen3-32B", "meta-llama/Llama-3.1-70B")
ROUNDS, SPREAD = 10, 0.2
ENGINE = "vllm-0.12"
"""The version that the rows name, where they name one."""


class Row(NamedTuple):
    """One run: where it ran, its load, and its measured means in ms."""

    model: str
    gpu: str
    tp: int
    dtype: str
    clients: int
    input_tokens: int
    output_tokens: int
    ttft_ms: float
    tpot_ms: float


def dense_rows(data: Path) -> list[Row]:
    """Return the vLLM runs of dense models on H100 and H200 GPUs whose kernels were measured too."""
    table = pl.read_csv(data / FOLDER / "silicon_sample.csv.gz", infer_schema_length=None)
    columns = {
        "model": pl.col("model_path").str.split("/").list.last(),
        "gpu": "system", "tp": "tp_size", "dtype": pl.col("precision").fill_null("bf16"),
        "clients": "batch_size", "input_tokens": "isl", "output_tokens": "osl",
        "ttft_ms": "silicon_ttft_ms", "tpot_ms": "silicon_tpot_ms",
    }  # fmt: skip
    table = table.filter(
        pl.col("backend") == "vllm",
        pl.col("mode") == "agg",
        pl.col("system").is_in(["h100_sxm", "h200_sxm"]),
        pl.col("model_path").is_in(DENSE),
        pl.col("silicon_tpot_ms") > 0,
    ).select(**columns)
    usual = pl.when(pl.col("model") == "Qwen3-32B").then(pl.lit("bf16")).otherwise(pl.lit("fp8"))
    chosen = table.filter(pl.col("dtype") == usual).sort(list(columns)[:7])
    return [Row(*values) for values in chosen.iter_rows()]


def errors_of(data: Path, rows: list[Row]) -> pl.DataFrame:
    """Replay the rows; return them with `ttft` and `tpot`, simulated / measured - 1."""
    models: dict[tuple[str | int, ...], LatencyModel] = {}
    errors = []
    for row in rows:
        if row[:4] not in models:
            choice = {"model": row.model, "tp": row.tp, "dtype": row.dtype}
            folder = data / FOLDER / row.gpu
            models[row[:4]] = fit(folder, estimator="table", holdout=0, **choice)
        ttft_ms, tpot_ms = _means_ms(row, models[row[:4]])
        errors.append((*row, ttft_ms / row.ttft_ms - 1, tpot_ms / row.tpot_ms - 1))
    return pl.DataFrame(errors, [*Row._fields, "ttft", "tpot"], orient="row")


def _means_ms(row: Row, latency: LatencyModel) -> tuple[float, float]:
    cluster = Cluster.uniform(1, latency, engine=ENGINE, request_overhead_s=HTTP_S)
    outcome = replay(_load(row), cluster, routers=["round_robin"], sessions="closed").traces[0]
    frame = outcome.read("ttft_ns", "e2e_ns", "output_tokens")
    tpot = (frame["e2e_ns"] - frame["ttft_ns"]) / (frame["output_tokens"] - 1)
    return frame["ttft_ns"].mean() / 1e6, tpot.mean() / 1e6


def _load(row: Row) -> Trace:
    rng, requests = np.random.default_rng(1), row.clients * ROUNDS
    around = np.rint(np.array([1 - SPREAD, 1 + SPREAD]) * row.output_tokens).astype(int)
    turn = np.arange(requests) // row.clients
    return requests_at_ns(
        turn,
        input_tokens=row.input_tokens,
        output_tokens=rng.integers(*around, requests, endpoint=True),
        session_id=[f"client {k % row.clients}" for k in range(requests)],
        turn=turn,
        think_ns=0,
    )
