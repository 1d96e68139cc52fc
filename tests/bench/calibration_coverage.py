"""How often the 95 % intervals of a calibration hold the truth, over logs of an engine with noise.

    python tests/bench/calibration_coverage.py --logs 100

Loads are drawn from a range of what the engine can serve. A calibration of 140 requests, without the
errors on cuts of the log, takes eight seconds; `--quick` also leaves out the evolution after its
descents, and takes three.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibrations import TRUTH, noisy

from workloadlab.calibration.findings import parameter_table
from workloadlab.calibration.observe import observe
from workloadlab.calibration.task import Task
from workloadlab.routing import SHELF


def reported(log, cluster, *, quick):
    """Return what a calibration reports of each parameter, by name; quick: after its descents."""
    observed = observe(log, cluster, routed=False)
    task = Task(observed, cluster, SHELF["round_robin"], None)
    found = task.fitted(observed.scored, trials=0) if quick else task.best()
    return {row["name"]: row for row in parameter_table(found.problem, found.target, found.fit)}


def held(seed: int, load: float, asked: argparse.Namespace) -> list[bool]:
    """Say for each parameter whether its interval holds the truth; prints them."""
    log, cluster = noisy(seed, load, requests=asked.requests, noise=asked.noise)
    found = reported(log, cluster, quick=asked.quick)
    inside = [found[name]["low"] <= truth <= found[name]["high"] for name, truth in TRUTH.items()]
    cells = [
        f"{found[name]['estimate'] / truth - 1:+7.1%} "
        f"({found[name]['low'] / truth - 1:+7.1%} {found[name]['high'] / truth - 1:+7.1%})"
        f"{' ' if within else '*'}"
        for (name, truth), within in zip(TRUTH.items(), inside, strict=True)
    ]
    print(f"{seed:4d} load {load:.2f}", *cells, flush=True)
    return inside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first log")
    parser.add_argument("--loads", type=float, nargs=2, default=(0.3, 1.3), metavar=("LOW", "HIGH"))
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--requests", type=int, default=140, help="in a log")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.logs)
    loads = [float(np.random.default_rng(seed + 777).uniform(*asked.loads)) for seed in seeds]
    rows = np.array([held(seed, load, asked) for seed, load in zip(seeds, loads, strict=True)])
    for name, share in zip(TRUTH, rows.mean(axis=0), strict=True):
        print(f"{name:20s} {share:6.1%}")
    for low, high in ((0.3, 0.6), (0.6, 0.9), (0.9, 1.3)):
        here = (np.array(loads) >= low) & (np.array(loads) < high)
        if here.any():
            print(f"load {low} to {high}    {rows[here].mean():6.1%} of {rows[here].size}")
    print(f"all                  {rows.mean():6.1%} of {rows.size}")


if __name__ == "__main__":
    main()
