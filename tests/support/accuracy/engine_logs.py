"""Per-request logs of whole vLLM runs on an RTX PRO 6000, published with LLMServingSim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import workloadlab as wl
from support.accuracy.cells import Cell, cells_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

__all__ = ["ENGINE_LOGS", "NEARLY", "cells_of_engine_logs", "named"]

FOLDER = "llmservingsim/bench/RTXPRO6000"
WORKLOADS = "llmservingsim/workloads"
NEARLY = tuple(np.linspace(0.998, 1.002, 9).tolist())
"""Factors on all step times that nobody could tell apart: chance decides how long a queue gets, so the
mean of replays with each says more than one replay."""
CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Shares of the requests that a calibration sees; the rest judge it."""


@dataclass(frozen=True)
class EngineLog:
    """A run: its folder, prompts, the catalogue's model of its GPU, its ranks and their balancer."""

    title: str
    folder: str
    prompts: str
    latency: str
    ranks: int
    router: str


ENGINE_LOGS = (
    EngineLog("Llama-3.1-8B, one RTX PRO 6000", "Llama-3.1-8B", "sharegpt-llama-3.1-8b-300-sps10",
              "rtxpro6000-llama-3.1-8b", 1, "round_robin"),
    EngineLog("Qwen3-30B-A3B, two ranks of RTX PRO 6000", "Qwen3-30B-A3B-Instruct-2507",
              "sharegpt-qwen3-30b-a3b-300-sps10", "rtxpro6000-qwen3-30b-a3b-ep2", 2, "vllm_dp_v1"),
)  # fmt: skip


def named(log: Trace, prompts: Path) -> Trace:
    """Return a log with the blocks of its prompts, which vLLM cached.

    Args:
        log: of a run.
        prompts: what was sent, in its order.
    """
    sent = pl.read_parquet(prompts)
    frame = log.read(*log.frame.collect_schema().names())
    assert frame["input_tokens"].to_list() == sent["input_toks"].to_list()
    blocks = sent["hash_ids"].cast(pl.List(pl.UInt64))
    whole = frame.with_columns(block_ids=blocks, block_size=pl.lit(16, pl.UInt16))
    return wl.Trace(whole.lazy(), log.provenance)


def cells_of_engine_logs(data: Path) -> Iterator[Cell]:
    """Yield the cells of both runs: by defaults, by the log's facts, and calibrated in two ways."""
    for run in ENGINE_LOGS:
        log = wl.ingest(data / FOLDER / run.folder / "vllm" / "requests.jsonl")
        plain = wl.Cluster.uniform(run.ranks, run.latency)
        told = wl.Cluster.from_trace(log, latency=run.latency)
        seats = run.ranks * log.provenance.system["max_num_seqs"]
        for mode, cluster in (("defaults", plain), ("log facts", told)):
            yield from cells_of(run.title, mode, _replayed(log, cluster, run), log, seats)
        whole = named(log, data / WORKLOADS / f"{run.prompts}.parquet")
        yield from _of_nearly(run, whole, told, seats)
        arrivals = log.read("arrival_ns")["arrival_ns"].sort()
        for share in CUTS:
            cut_s = arrivals[int(share * len(arrivals))] / 1e9
            for way, start in (("calibrated", None), ("scaled", run.latency)):
                part = log.window(0, cut_s)
                model = wl.calibrate(part, told, router=run.router, start=start)
                cluster = replace(told, pools=[replace(told.pools[0], latency=model)])
                again = _replayed(log, cluster, run)
                yield from cells_of(run.title, f"{way} on {share:.0%}", again, log, seats, cut_s)


def _of_nearly(run: EngineLog, log: Trace, told: Cluster, seats: int) -> Iterator[Cell]:
    """Yield the mean over `NEARLY` by band, and the least and the most over all requests."""
    mode = "log facts, prompts named"
    latency = wl.LatencyModel.load(run.latency)
    replays = []
    for factor in NEARLY:
        cluster = wl.Cluster(pools=[replace(told.pools[0], latency=latency.scaled(factor, 0.0))])
        replays.append(list(cells_of(run.title, mode, _replayed(log, cluster, run), log, seats)))
    for cells in zip(*replays, strict=True):
        yield _over(cells, np.mean, mode)
        if cells[0].band == "all":
            yield _over(cells, np.min, f"{mode}: least")
            yield _over(cells, np.max, f"{mode}: most")


def _over(cells: Sequence[Cell], of: Callable[..., float], mode: str) -> Cell:
    errors = {name: float(of([cell.errors[name] for cell in cells])) for name in cells[0].errors}
    return replace(cells[0], mode=mode, errors=errors)


def _replayed(log: Trace, cluster: Cluster, run: EngineLog) -> Trace:
    return wl.replay(log, cluster, routers=[run.router]).traces[0]
