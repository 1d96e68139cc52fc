"""Measure speed; prints a table and writes JSON. Ratios are taken within one run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

REPEATS = 5


def best_seconds(work, repeats=REPEATS):
    """Shortest of several runs: what the machine can do when nothing else disturbs it."""
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def peak_mib():
    """Peak memory of this process; on Linux `getrusage` may give that of the process it came from."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_replay():
    """Replay on one thread, compiled and warm; the outcome's arrays, without building a trace."""
    import numpy as np

    import workloadlab as wl
    from workloadlab.routing import SHELF
    from workloadlab.simulation.engine.run import replay_lane
    from workloadlab.simulation.workload import Workload, workload_of

    data = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data"))
    operators = data / "llmservingsim/perf/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1"
    mooncake = data / "mooncake" / "conversation_trace.jsonl.gz"
    azure = data / "azure" / "AzureLLMInferenceTrace_conv.csv"
    sample = azure if azure.is_file() else Path(__file__).parents[2] / "traces" / "chat.csv"
    workload = workload_of(wl.ingest(sample))
    model = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    by_hand = wl.LatencyModel.linear(
        constant_s=0.008, prefill_token_s=6e-5, decode_seq_s=3e-5, decode_context_s=8e-8
    )
    rows = []

    def add(name, load, cluster, router="least_requests"):
        lane = replay_lane(load, cluster, SHELF[router], 0)
        seconds = best_seconds(lambda: replay_lane(load, cluster, SHELF[router], 0))
        rows.append(
            {"name": name, "value": len(load) / seconds, "unit": "requests/s",
             "detail": f"{lane.steps / seconds / 1e6:.1f} M steps/s, one thread"}
        )  # fmt: skip

    four = wl.Cluster.uniform(4, model)
    for router in ("round_robin", "power_of_two", "least_tokens", "least_requests"):
        add(f"replay, 4 instances, catalogue model, {router}", workload, four, router)
    add("replay, 4 instances, model by hand", workload, wl.Cluster.uniform(4, by_hand))
    add("replay, 4 instances, rate x8", workload.scaled(8), four)
    if operators.is_dir():
        table = wl.Cluster.uniform(4, wl.fit(operators, estimator="table"))
        add("replay, 4 instances, table model", workload, table)
    if mooncake.is_file():
        chats = workload_of(wl.ingest(mooncake), prefixes=True)
        caching = wl.Cluster.uniform(8, model, block_size=512, prefix_caching=True)
        add("replay, 8 instances, Mooncake, prefix caching", chats, caching, "llmd_default")
    rng = np.random.default_rng(0)
    n = 1_000_000
    many = Workload(
        np.cumsum(rng.exponential(1 / 100, n)), rng.integers(1, 2500, n), rng.integers(1, 400, n),
        np.full(n, -1), np.full(n, -1),
    )  # fmt: skip
    add("replay, 64 instances, 1 M generated requests", many, wl.Cluster.uniform(64, model))
    rows.append(measure_batch(four))
    return rows


def measure_batch(cluster):
    """A training batch: many short lanes on two threads."""
    import numpy as np

    from workloadlab.execution import run_lanes
    from workloadlab.routing import SHELF
    from workloadlab.simulation.engine.run import replay_lane
    from workloadlab.simulation.workload import Workload

    rng, lanes, n = np.random.default_rng(1), 1000, 2000
    short = Workload(
        np.cumsum(rng.exponential(1 / 12, n)), rng.integers(1, 2500, n), rng.integers(1, 400, n),
        np.full(n, -1), np.full(n, -1),
    )  # fmt: skip
    policy = SHELF["least_requests"]
    policy.compiled  # noqa: B018
    work = [(short, cluster, policy, seed) for seed in range(lanes)]
    seconds = best_seconds(lambda: run_lanes(replay_lane, work, threads=2), 3)
    return {"name": "replay, 1,000 lanes of 2,000 requests", "value": lanes * n / seconds,
            "unit": "requests/s", "detail": "in all, two threads"}  # fmt: skip


def measure_startup():
    """Whole processes: what a person waits for."""

    def process(*words):
        return best_seconds(lambda: subprocess.run(words, check=True, capture_output=True), 3)

    tool = [sys.executable, "-m", "workloadlab"]
    return [
        {"name": "import workloadlab", "unit": "s", "detail": "whole process",
         "value": process(sys.executable, "-c", "import workloadlab")},
        {"name": "workloadlab --help", "unit": "s", "detail": "whole process",
         "value": process(*tool, "--help")},
    ]  # fmt: skip


def suites():
    """Every suite by name; a file bench_NAME.py beside this one adds its own `run`."""
    found = {"replay": measure_replay, "startup": measure_startup}
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        module = __import__(path.stem)
        found[path.stem.removeprefix("bench_")] = module.run
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", nargs="*", help="suites to run")
    asked = parser.parse_args()
    rows = []
    for name, run in suites().items():
        if asked.only and name not in asked.only:
            continue
        for row in run():
            rows.append({"suite": name, **row})
            print(
                f"{name:<13} {row['name']:<52} {row['value']:>14,.4g} {row['unit']:<11} {row['detail']}"
            )
    machine = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    asked.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
