"""Cost per request as the cluster and the trace grow, memory of a long trace, and the first start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import peak_mib

INSTANCES = (1, 4, 16, 64, 256, 1000)
REQUESTS = (10_000, 100_000, 1_000_000, 10_000_000)
COMPILED = (
    "workloadlab.simulation.engine.lane", "workloadlab.simulation.engine.lanes.thread_shares",
    "workloadlab.latency.estimators.table_kernel", "workloadlab.latency.estimators.roofline_kernel",
    "workloadlab.latency.estimators.trees_kernel",
    "workloadlab.oracles.look_ahead_kernel", "workloadlab.oracles.assignments_kernel",
)  # fmt: skip
"""Modules whose import compiles the engine, every latency model, the environment and the oracles."""
PICTURE = Path("bench_scaling.png")


def generated(requests, instances):
    """Poisson arrivals of three requests a second and instance."""
    import numpy as np

    from workloadlab.simulation.workload import Workload

    rng = np.random.default_rng(0)
    arrivals = rng.exponential(1 / (3.0 * instances), requests)
    return Workload(
        np.cumsum(arrivals, out=arrivals), rng.integers(1, 2500, requests),
        rng.integers(1, 400, requests), np.full(requests, -1), np.full(requests, -1),
    )  # fmt: skip


def one(requests, instances):
    """Seconds, steps and peak memory of a lane."""
    import workloadlab as wl
    from workloadlab.routing import SHELF
    from workloadlab.simulation.engine.run import replay_lane

    cluster = wl.Cluster.uniform(instances, "rtxpro6000-llama-3.1-8b")
    load = generated(requests, instances)
    replay_lane(generated(100, instances), cluster, SHELF["least_requests"], 0)
    begin = time.perf_counter()
    lane = replay_lane(load, cluster, SHELF["least_requests"], 0)
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "steps": lane.steps, "peak_mib": peak_mib()}


def in_a_process(requests, instances):
    done = subprocess.run(
        [sys.executable, __file__, str(requests), str(instances)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def run():
    """Rows of the table; draws the picture too."""
    rows, by_instances, by_requests = [], [], []
    for instances in INSTANCES:
        made = in_a_process(100_000, instances)
        by_instances.append(made["seconds"] / 100_000)
        rows.append(row(f"100,000 requests, {instances:,} instances", 100_000, made))
    for requests in REQUESTS:
        made = in_a_process(requests, 16)
        by_requests.append(made["seconds"] / requests)
        rows.append(row(f"{requests:,} requests, 16 instances", requests, made))
    rows.append({"name": "memory, 10 M requests in one lane", "value": made["peak_mib"],
                 "unit": "MiB", "detail": "peak of the process"})  # fmt: skip
    rows += first_start()
    draw(by_instances, by_requests)
    return rows


def row(name, requests, made):
    seconds = made["seconds"]
    return {"name": name, "value": requests / seconds, "unit": "requests/s",
            "detail": f"{made['steps'] / seconds / 1e6:.1f} M steps/s"}  # fmt: skip


def first_start():
    """Compiling everything, and what a second process waits for.

    All keep bytecode, whatever the environment says; the first process makes that of numba and polars
    too, which is what a new installation waits for.
    """
    code = f"import {', '.join(COMPILED)}"
    ordinary = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for name, kept in (
            ("first start of an installation: bytecode and everything compiled", "new"),
            ("first start: everything is compiled", "again"),
            ("second start: read from the cache", "again"),
        ):
            begin = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", code],
                check=True,
                env={
                    **ordinary,
                    "NUMBA_CACHE_DIR": f"{cache}/{kept}",
                    "PYTHONPYCACHEPREFIX": cache,
                },
            )
            rows.append({"name": name, "value": time.perf_counter() - begin, "unit": "s",
                         "detail": "whole process"})  # fmt: skip
    return rows


def draw(by_instances, by_requests):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
    most = 1e6 * max(*by_instances, *by_requests)
    for ax, xs, ys, what in (
        (axes[0], INSTANCES, by_instances, "instances"),
        (axes[1], REQUESTS, by_requests, "requests in the trace"),
    ):
        ax.loglog(xs, [1e6 * y for y in ys], "o-")
        ax.set(xlabel=what, ylim=(0.1, 2 * most))
        ax.grid(alpha=0.3, which="both")
    axes[0].set(ylabel="microseconds per request")
    figure.suptitle("Cost of a request, least requests, one thread")
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    print(json.dumps(one(int(sys.argv[1]), int(sys.argv[2]))))
