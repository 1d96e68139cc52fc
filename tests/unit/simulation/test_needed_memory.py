"""The memory of a replay is estimated before it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workloadlab.errors import MachineError, UsageError
from workloadlab.simulation.needed_memory import needed_bytes, refuse_more_than

MEASURED = """
from pathlib import Path
import numpy as np
import workloadlab as wl
from workloadlab.routing import resolve_all
from workloadlab.simulation.needed_memory import lane_bytes, needed_bytes
from workloadlab.simulation.preparation import workload_and_cluster

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

rng = np.random.default_rng(0)
count, runs = 200_000, 6
rows = list(zip(np.cumsum(rng.exponential(0.01, count)).tolist(),
                rng.integers(10, 1000, count).tolist(), rng.integers(1, 100, count).tolist()))
trace = wl.Trace.of(rows)
cluster = wl.Cluster.uniform(8, "h100-llama-3.1-8b")
wl.replay(wl.Trace.of(rows[:100]), cluster, routers="random")
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak, which is the parent's at first
before = peak()
wl.replay(trace, cluster, routers="random", seeds=runs, threads=2)
taken = peak() - before
policies = resolve_all("random")
lane = lane_bytes(*workload_and_cluster(trace, cluster, policies, "open"), policies)
print(taken, needed_bytes(count, runs, 2, lane))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads peaks from /proc")
def test_the_estimate_is_near_what_a_replay_takes():
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True
    )
    taken, estimated = map(int, ended.stdout.split())
    assert taken / 1.7 < estimated < taken * 1.7


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (2 * 10**9, "--threads 1 or at most"),
        (7 * 10**8, "at most 2 runs at a time"),
        (2 * 10**8, "use a sample of the trace"),
    ],
)
def test_what_would_make_it_fit_is_named(limit, said):
    with pytest.raises(MachineError, match="needs about") as refused:
        refuse_more_than(limit, 10**6, runs=10, at_a_time=8, per_lane=60_000_000)
    assert said in refused.value.fix


def test_what_fits_is_not_refused():
    needed = needed_bytes(10**6, 10, 8, 60_000_000)
    refuse_more_than(needed, 10**6, 10, 8, 60_000_000)


def test_small_amounts_are_told_in_units_that_show_them():
    with pytest.raises(MachineError, match=r"needs about 5[0-9.]+ MB and may use 1 byte"):
        refuse_more_than(1, 10**5, runs=1, at_a_time=1, per_lane=6_000_000)


@pytest.mark.parametrize("limit", ["abc", [], 0, -1, float("nan")])
def test_a_limit_that_is_no_number_of_bytes_is_refused(limit):
    with pytest.raises(UsageError, match="memory_limit = "):
        refuse_more_than(limit, 10, runs=1, at_a_time=1, per_lane=1)
