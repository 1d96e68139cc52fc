"""How often a router differs from itself, by load: false alarms of paired comparisons.

    python tests/bench/against_itself.py --comparisons 400

A comparison replays one trace twice through `random`, with two seeds. No difference is real, so a
95 % interval leaves zero out in 5 % of the comparisons if it is right. `unsteady` comparisons, where
either run has no steady state, are shown to nobody; they are counted apart.

The last three columns are of mean TTFT: the median of the least detectable effects, how many comparisons
state one of at most 100 %, and how often these find it, planted in one of the runs. It should be 80 %.

    python tests/bench/against_itself.py --loads 0.55 --requests 3000 --swing 0.5
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
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


def log(seed: int, load: float, requests: int, swing: float = 0.0) -> wl.Trace:
    """Return requests whose prompts keep the instances busy for a share `load` of the time.

    Once over the log the rate rises and falls by a share `swing` of itself.
    """
    rng = np.random.default_rng(seed)
    prompts = np.maximum(1, rng.lognormal(6, 0.8, requests)).astype(int)
    service_s = STEP_S + TOKEN_S * float(np.exp(6 + 0.32))
    phase = 2 * np.pi * np.arange(requests) / requests
    rate = load * INSTANCES / service_s * (1 + swing * np.sin(phase))
    gaps = rng.exponential(1.0, requests) / rate
    return wl.Trace.of(
        [(float(at), int(prompt), 1) for at, prompt in zip(np.cumsum(gaps), prompts, strict=True)]
    )


def comparison(seed: int, load: float, requests: int, swing: float = 0.0):
    """Return the differences of a router from itself by measure, whether it is steady, and both runs."""
    model = wl.LatencyModel.linear(constant_s=STEP_S, prefill_token_s=TOKEN_S)
    cluster = wl.Cluster.uniform(
        INSTANCES, model, max_num_seqs=1, max_num_batched_tokens=1 << 20, step_overhead_s=0.0,
        prefix_caching=False, async_scheduling=False,
    )  # fmt: skip
    runs = wl.replay(
        log(seed, load, requests, swing), cluster, routers=["random"], seeds=2, threads=1
    )
    pair = [read_timings(trace) for _, trace in runs]
    keys = [("a", 1.0), ("b", 1.0)]
    by_key = {key: [timings] for key, timings in zip(keys, pair, strict=True)}
    context = Context(slo=wl.SLO(ttft_s=1.0))
    found = {name: difference(by_key, Measure.named(name), context, *keys) for name in MEASURES}
    states = [saturation(timings) for timings in pair]
    return found, all(state is None or state.steady for state in states), pair


def stated(found) -> float:
    """Return the least detectable effect on mean TTFT; infinite where none is."""
    least = found[MEASURES[0]].least_detectable
    return np.inf if least is None else least


def planted(pair, effect: float) -> bool:
    """Say whether an effect that is planted in the first of two runs is found in mean TTFT."""
    keys = [("a", 1.0), ("b", 1.0)]
    slower = replace(pair[0], ttft_s=pair[0].ttft_s * (1 + effect))
    by_key = {keys[0]: [slower], keys[1]: [pair[1]]}
    found = difference(by_key, Measure.named(MEASURES[0]), Context(), *keys)
    return found is not None and found.p_value < 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="seed of the first comparison")
    parser.add_argument("--loads", type=float, nargs="+", default=(0.5, 0.7, 0.9, 0.95))
    parser.add_argument("--requests", type=int, nargs="+", default=(300, 1000, 3000))
    parser.add_argument("--swing", type=float, default=0.0, help="by which the rate drifts")
    asked = parser.parse_args()
    print(f"{'requests':>8} {'load':>5} {'steady':>7}", *(f"{name:>15}" for name in MEASURES),
          f"{'detectable':>11} {'stated':>7} {'found':>6}")  # fmt: skip
    for requests in asked.requests:
        for load in asked.loads:
            seeds = range(asked.first, asked.first + asked.comparisons)
            compared = [comparison(seed, load, requests, asked.swing) for seed in seeds]
            shown = [(found, pair) for found, steady, pair in compared if steady]
            alarms = [
                [pair is not None and pair.p_value < 0.05 for pair in found.values()]
                for found, _ in shown
            ]
            least = [stated(found) for found, _ in shown]
            told = [(e, pair) for e, (_, pair) in zip(least, shown, strict=True) if e <= 1]
            power = np.mean([planted(pair, effect) for effect, pair in told]) if told else np.nan
            cells = [f"{share:15.1%}" for share in np.mean(alarms, axis=0)]
            print(f"{requests:8d} {load:5.2f} {len(alarms) / len(seeds):7.1%}", *cells,
                  f"{np.median(least):11.1%} {len(told) / len(shown):7.1%} {power:6.1%}",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
