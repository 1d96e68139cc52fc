"""Per-request logs of whole vLLM runs on an RTX PRO 6000, published with LLMServingSim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import workloadlab as wl
from support.accuracy.cells import cells_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.accuracy.cells import Cell
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

__all__ = ["ENGINE_LOGS", "cells_of_engine_logs"]

FOLDER = "llmservingsim/bench/RTXPRO6000"
CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Shares of the requests that a calibration sees; the rest judge it."""


@dataclass(frozen=True)
class EngineLog:
    """A run: its folder, the catalogue's model of its GPU, its ranks and the balancer among them."""

    title: str
    folder: str
    latency: str
    ranks: int
    router: str


ENGINE_LOGS = (
    EngineLog("Llama-3.1-8B, one RTX PRO 6000", "Llama-3.1-8B", "rtxpro6000-llama-3.1-8b", 1,
              "round_robin"),
    EngineLog("Qwen3-30B-A3B, two ranks of RTX PRO 6000", "Qwen3-30B-A3B-Instruct-2507",
              "rtxpro6000-qwen3-30b-a3b-ep2", 2, "vllm_dp_v1"),
)  # fmt: skip


def cells_of_engine_logs(data: Path) -> Iterator[Cell]:
    """Yield the cells of both runs: by defaults, by the log's facts, and calibrated in two ways."""
    for run in ENGINE_LOGS:
        log = wl.ingest(data / FOLDER / run.folder / "vllm" / "requests.jsonl")
        plain = wl.Cluster.uniform(run.ranks, run.latency)
        told = wl.Cluster.from_trace(log, latency=run.latency)
        seats = run.ranks * log.provenance.system["max_num_seqs"]
        for mode, cluster in (("defaults", plain), ("log facts", told)):
            yield from cells_of(run.title, mode, _replayed(log, cluster, run), log, seats)
        arrivals = log.read("arrival_ns")["arrival_ns"].sort()
        for share in CUTS:
            cut_s = arrivals[int(share * len(arrivals))] / 1e9
            for way, start in (("calibrated", None), ("scaled", run.latency)):
                part = log.window(0, cut_s)
                model = wl.calibrate(part, told, router=run.router, start=start)
                cluster = replace(told, pools=[replace(told.pools[0], latency=model)])
                again = _replayed(log, cluster, run)
                yield from cells_of(run.title, f"{way} on {share:.0%}", again, log, seats, cut_s)


def _replayed(log: Trace, cluster: Cluster, run: EngineLog) -> Trace:
    return wl.replay(log, cluster, routers=[run.router]).traces[0]
