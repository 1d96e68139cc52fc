"""A sweep of 10 routers x 8 rates x 5 seeds x 3 sizes of Azure conv: first, again, one rate changed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SWEEP = """
clusters = "cluster.toml"
instances = [2, 4, 8]
routers = ["round_robin", "least_requests", "least_tokens", "least_kv", "least_outstanding", "random",
    "power_of_two", "power_of_d", "kubernetes_service", "vllm_dp_v2"]
rate_scales = [0.5, 1, 1.5, 2, 3, 4, 6, 8]
seeds = 5
slo = "ttft=1,tpot=50ms"
"""
REPLAY = ("replay", "conv.trace", "--sweep", "sweep.toml", "-o", "out")


def seconds(folder, *words):
    """Return wall and processor seconds of a command, and the last line that it said."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "workloadlab", *words],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, busy, done


def run():
    """Rows of the table; each is a whole command."""
    data = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data")).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = data / "azure" / "AzureLLMInferenceTrace_conv.csv"
        seconds(folder, "ingest", str(log), "-o", "conv.trace")
        *_, cluster = seconds(folder, "cluster", "conv.trace", "--latency", "h100-llama-3.1-8b")
        (folder / "cluster.toml").write_text(cluster.stdout)
        (folder / "sweep.toml").write_text(SWEEP)
        for what, bar_s in (("first", 60), ("again", 3), ("one rate changed", None)):
            if bar_s is None:
                (folder / "sweep.toml").write_text(SWEEP.replace("[0.5,", "[0.6,"))
            wall_s, busy_s, done = seconds(folder, *REPLAY)
            bar = "" if bar_s is None else f"; bar {bar_s} s"
            yield {"name": f"sweep of 10 x 8 x 5 x 3 runs, {what}", "value": wall_s, "unit": "s",
                   "detail": f"{busy_s:.1f} s of CPU; {done.stderr.splitlines()[-1]}{bar}"}  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']}: {row['value']:.1f} s ({row['detail']})", flush=True)
