"""How often a router differs from itself, by load: false alarms of paired comparisons.

    python tests/bench/against_itself.py --comparisons 400

A comparison replays one trace twice through `random`, with two seeds. No difference is real, so a
95 % interval leaves zero out in 5 % of the comparisons if it is right. `unsteady` comparisons, where
either run has no steady state, are shown to nobody; they are counted apart.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import workloadlab as wl
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.metric import Context
from workloadlab.scoring.paired import difference
from workloadlab.scoring.saturation import saturation
from workloadlab.scoring.timings import read_timings

INSTANCES = 4
MEASURES = ("mean ttft_s", "p99 ttft_s", "mean e2e_s", "slo_attainment")
STEP_S, TOKEN_S = 0.01, 0.0004
"""A step of an engine that takes one prompt at a time."""


def log(seed: int, load: float, requests: int) -> wl.Trace:
    """Return requests whose prompts keep the instances busy for a share `load` of the time."""
    rng = np.random.default_rng(seed)
    prompts = np.maximum(1, rng.lognormal(6, 0.8, requests)).astype(int)
    service_s = STEP_S + TOKEN_S * float(np.exp(6 + 0.32))
    gaps = rng.exponential(service_s / (load * INSTANCES), requests)
    return wl.Trace.of(
        [(float(at), int(prompt), 1) for at, prompt in zip(np.cumsum(gaps), prompts, strict=True)]
    )


def comparison(seed: int, load: float, requests: int):
    """Return the differences of a router from itself, by measure, and whether both runs are steady."""
    model = wl.LatencyModel.linear(constant_s=STEP_S, prefill_token_s=TOKEN_S)
    cluster = wl.Cluster.uniform(
        INSTANCES, model, max_num_seqs=1, max_num_batched_tokens=1 << 20, step_overhead_s=0.0,
        prefix_caching=False, async_scheduling=False,
    )  # fmt: skip
    runs = wl.replay(log(seed, load, requests), cluster, routers=["random"], seeds=2, threads=1)
    pair = [read_timings(trace) for _, trace in runs]
    keys = [("a", 1.0), ("b", 1.0)]
    by_key = {key: [timings] for key, timings in zip(keys, pair, strict=True)}
    context = Context(slo=wl.SLO(ttft_s=1.0))
    found = {name: difference(by_key, Measure.named(name), context, *keys) for name in MEASURES}
    states = [saturation(timings) for timings in pair]
    return found, all(state is None or state.steady for state in states)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="seed of the first comparison")
    parser.add_argument("--loads", type=float, nargs="+", default=(0.5, 0.7, 0.9, 0.95))
    parser.add_argument("--requests", type=int, nargs="+", default=(300, 1000, 3000))
    asked = parser.parse_args()
    print(f"{'requests':>8} {'load':>5} {'steady':>7}", *(f"{name:>15}" for name in MEASURES))
    for requests in asked.requests:
        for load in asked.loads:
            seeds = range(asked.first, asked.first + asked.comparisons)
            compared = [comparison(seed, load, requests) for seed in seeds]
            alarms = [
                [pair is not None and pair.p_value < 0.05 for pair in found.values()]
                for found, steady in compared
                if steady
            ]
            cells = [f"{share:15.1%}" for share in np.mean(alarms, axis=0)]
            print(f"{requests:8d} {load:5.2f} {len(alarms) / len(seeds):7.1%}", *cells, flush=True)


if __name__ == "__main__":
    main()
