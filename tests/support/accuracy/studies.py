"""Every study of the accuracy page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from support.accuracy.clusters import chats, routers
from support.accuracy.engine_logs import cells_of_engine_logs
from support.accuracy.page import Study
from support.accuracy.sweeps import cells_of_sweeps
from support.fixed_concurrency import dense_rows, errors_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["studies"]


def studies(data: Path) -> list[Study]:
    """Replay every real run in reach."""
    return [
        Study(
            "Logs of whole runs",
            "300 requests each under vLLM 0.19, ten a second, deep in overload; published with "
            "LLMServingSim (casys-kaist/LLMServingSim 5daddb2, MIT).\n\n"
            "What limits them: (1) The logs do not name the blocks of their prompts, of whose tokens "
            "7.6 and 3.7 % were in the engine's prefix cache, of later ones more; one kind of replay is "
            "told the names. (2) Decodes of up to 64 sequences took 1 to 2.5 ms longer on one GPU than "
            "the model says, larger ones did not; a log cut before those takes all steps for longer. "
            "(3) Chance: a step time within 0.2 % leads to queues that differ, on the two ranks 1 % of "
            "step time is 10 % of TTFT. The truth lay between `Cluster.ends` of the scaled models at "
            "all ten cuts, in TTFT, TPOT and e2e.",
            "both runs. The terms of a step beyond its kernels were measured apart (kernels, whole "
            "steps, decode-only seconds of these logs); none was fitted to a replay. The bins of the "
            "step clock, by which a model is scaled, were chosen by the steps that it counts here. How "
            "a log is cut for a scaled model was mended after these rows missed; nothing was fitted to "
            "them.",
            tuple(cells_of_engine_logs(data)),
        ),
        Study(
            "Rate sweeps",
            "One H100 under vLLM 0.11, seven rates of a minute each, with and without prefix caching; "
            "means of the client (kubernetes-sigs/inference-perf 7de5ef2, Apache-2.0).",
            "both sweeps. The host's time per sequence (7 us) and what decodes cost beside a prompt "
            "were seen on them, so these rows are no blind prediction: without the two, e2e is off by "
            "up to -37 %.",
            tuple(cells_of_sweeps(data)),
        ),
        Study(
            "Serving runs at a fixed concurrency",
            "158 rows of vLLM serving Qwen3-32B and Llama-3.1-70B on H100 and H200 GPUs, from "
            "AIConfigurator's silicon_sample.csv (ai-dynamo/aiconfigurator 095f58a), replayed "
            "on models composed of kernels. The rows name clients and lengths and little of the engine: "
            "`tests/support/fixed_concurrency.py` says what is assumed, and which 22 rows are left out.",
            "all rows, to learn how such a benchmark loads its engine; no time was fitted.",
            summary=_by_clients(errors_of(data, dense_rows(data))),
        ),
        Study(
            "Chats at a fixed concurrency",
            "Llama-3.3-70B FP4 on B200 GPUs under vLLM 0.15 (InferenceX). Three levels are "
            "calibrated on their beginnings, the others are replayed by that; "
            "`tests/support/multiturn.py` says how.",
            "all levels. The rule for long contexts was learnt on one GPU; nothing was fitted to levels "
            "that are not calibrated.",
            summary=chats(data),
        ),
        Study(
            "Clusters with and without a router",
            "LMBench: 2 and 8 replicas, Llama 8B and 70B, published by AIBrix and llm-d. Calibrated on "
            "light runs without a router; counted is whether the predicted change of TTFT has the "
            "measured sign, over pairs of rate and metric that changed by over 10 %. The hop through "
            "llm-d's gateway is fitted at the lowest rate, which is not judged; the last column leaves "
            "it out. `tests/support/lmbench.py` says what is assumed.",
            "all runs, for how the engines batch, who is routed how and which pairs can be judged.",
            summary=routers(data),
        ),
    ]


def _by_clients(errors: pl.DataFrame) -> str:
    tpot, ttft = pl.col("tpot").abs(), pl.col("ttft").abs()
    parts = [
        errors.group_by(pl.col("clients").cast(pl.String)).agg(
            pl.len(), tpot.mean(), ttft.median()
        ),
        errors.select(pl.lit("all").alias("clients"), pl.len(), tpot.mean(), ttft.median()).head(1),
    ]
    order = pl.col("clients").cast(pl.Int64, strict=False)
    lines = ["| clients | rows | mean absolute error of TPOT | median absolute error of TTFT |",
             "|---|---:|---:|---:|"]  # fmt: skip
    for clients, rows, of_tpot, of_ttft in (
        pl.concat(parts).sort(order, nulls_last=True).iter_rows()
    ):
        lines.append(f"| {clients} | {rows} | {of_tpot:.1%} | {of_ttft:.1%} |".replace("%", " %"))
    return "\n".join(lines) + "\n"
