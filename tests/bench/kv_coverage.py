"""How often a calibration's interval of the KV size holds the truth, over logs of engines with noise.

    python tests/bench/kv_coverage.py --logs 100

Sizes are drawn from 700 to 3,000 blocks, loads from a range of what a full cache can serve. A log of 200
requests, without the errors on cuts of it, takes ten seconds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.calibrations import crowded

from workloadlab.calibration.kv_size import kv_size
from workloadlab.calibration.observe import observe
from workloadlab.calibration.task import Task
from workloadlab.routing import SHELF


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first log")
    parser.add_argument("--loads", type=float, nargs=2, default=(0.5, 1.6), metavar=("LOW", "HIGH"))
    parser.add_argument("--noise", type=float, default=0.03)
    asked = parser.parse_args()
    held: dict[str, list[bool]] = {"fitted": [], "never full": []}
    for seed in range(asked.first, asked.first + asked.logs):
        rng = np.random.default_rng(seed + 99)
        blocks = int(np.exp(rng.uniform(np.log(700), np.log(3000))))
        load = rng.uniform(*asked.loads)
        log, cluster = crowded(seed, blocks, load, noise=asked.noise)
        observed = observe(log, cluster, routed=False)
        task = Task(observed, cluster, SHELF["round_robin"], None)
        best = task.best()
        found = kv_size(best.problem, best.target, best.fit, task.most_blocks)
        low, high = found["low"] / blocks - 1, (found["high"] or np.inf) / blocks - 1
        held["never full" if found["estimate"] is None else "fitted"].append(low <= 0 <= high)
        said = "none" if found["estimate"] is None else f"{found['estimate'] / blocks - 1:+.1%}"
        print(f"{seed:4d} {blocks:5d} blocks, load {load:.2f}: {said:>6} ({low:+.1%} {high:+.1%})"
              f"{'' if low <= 0 <= high else ' *'}", flush=True)  # fmt: skip
    for kind, inside in held.items():
        if inside:
            print(f"{kind:10} {np.mean(inside):6.1%} of {len(inside)}")


if __name__ == "__main__":
    main()
