"""Decisions per second of the oracles, on one thread."""

from __future__ import annotations

import os
import time
from pathlib import Path

import workloadlab as wl
from workloadlab.oracles import all_assignments, headroom
from workloadlab.oracles.look_ahead import look_ahead
from workloadlab.routing import SHELF
from workloadlab.simulation.workload import workload_of

REQUESTS = 2000
DATA = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data"))


def _seconds(work, repeats=3):
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def run() -> list[dict]:
    """Return one row per oracle, number of instances and load."""
    chats = wl.ingest(Path(__file__).parents[2] / "traces" / "chat.csv")
    sample = wl.Trace.from_frame(chats.frame.head(REQUESTS).collect())
    model, base = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b"), SHELF["least_requests"]
    rows = []
    for instances, scale in ((4, 1), (4, 8), (8, 16)):
        cluster = wl.Cluster.uniform(instances, model)
        workload = workload_of(sample).scaled(scale)
        outcome = look_ahead(workload, cluster, base, 0, ahead=0)
        busy_s = (outcome.end_s - outcome.arrival_s).sum()
        live = busy_s / (outcome.end_s.max() - outcome.arrival_s.min())
        for name, ahead in (
            ("lookahead", 0),
            ("rollout_8", 8),
            ("rollout", 32),
            ("rollout_128", 128),
        ):
            seconds = _seconds(lambda k=ahead: look_ahead(workload, cluster, base, 0, ahead=k))  # noqa: B023
            rows.append(
                {"name": f"{name}, {instances} instances, rate x{scale}",
                 "value": len(workload) / seconds, "unit": "decisions/s",
                 "detail": f"{live:.0f} live on average, one thread"}
            )  # fmt: skip
    mooncake = DATA / "mooncake" / "conversation_trace.jsonl.gz"
    if mooncake.is_file():
        chains = workload_of(wl.ingest(mooncake), prefixes=True)
        caching = wl.Cluster.uniform(8, model, block_size=512, prefix_caching=True)
        for name in ("least_requests", "llmd_default"):
            seconds = _seconds(lambda k=name: look_ahead(chains, caching, SHELF[k], 0, ahead=0), 1)
            rows.append(
                {"name": f"lookahead over {name}, 8 instances, Mooncake, prefix caching",
                 "value": len(chains) / seconds, "unit": "decisions/s",
                 "detail": f"{chains.block_ids.max() + 1:,} block ids, one thread"}
            )  # fmt: skip
    cluster = wl.Cluster.uniform(4, model)
    seconds = _seconds(lambda: headroom(sample, cluster, rate_scale=8, trials=10_000), 1)
    rows.append(
        {"name": "hindsight, 4 instances, rate x8", "value": 10_000 / seconds, "unit": "trials/s",
         "detail": f"{REQUESTS:,} requests, rollout at the start included"}
    )  # fmt: skip
    toy = wl.Trace.from_frame(chats.frame.head(14).collect())
    two = wl.Cluster.uniform(2, model)
    seconds = _seconds(lambda: all_assignments(toy, two), 1)
    rows.append(
        {"name": "exhaustive, 14 requests, 2 instances", "value": 2**13 / seconds,
         "unit": "assignments/s", "detail": ""}
    )  # fmt: skip
    return rows
