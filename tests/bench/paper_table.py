"""The founding paper's study (arXiv 2408.13510): `make paper` writes docs/paper.md.

Its mix of five tasks, 2,000 requests at 20/s on 4 instances like a V100 with Llama-2-7B; the KV cache is
swept, because that decides whether routing can matter. Change to round robin over 20 episodes, with
95 % intervals; the learned router has seen other episodes only.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats
from support.study.mixing import mixing_section

import workloadlab as wl
from workloadlab.learning.cells import Cell, play
from workloadlab.learning.es import evolve
from workloadlab.learning.guided import learn_by_reward
from workloadlab.learning.problem import Problem
from workloadlab.learning.rivals import Played, Rival
from workloadlab.routing import SHELF
from workloadlab.simulation.metrics import Targets
from workloadlab.simulation.saturation import saturation_rps
from workloadlab.simulation.workload import Workload

TASKS = {  # samples, mean prompt, mean output, share of outputs over HEAVY tokens
    "translation": (7351, 29.09, 61.76, 0.0918),
    "questions": (6988, 29.83, 334.40, 0.5818),
    "sentiment": (6564, 211.54, 142.53, 0.4101),
    "in context": (7122, 125.16, 220.02, 0.4795),
    "entities": (3304, 26.41, 64.10, 0.0871),
}
HEAVY = 143
"""5 s of decoding at 35 ms a step."""

V100 = wl.LatencyModel.linear(
    name="V100-like", constant_s=0.017, prefill_token_s=3.2e-4, decode_seq_s=1.5e-4,
    decode_context_s=5.8e-7,
)  # fmt: skip

HEURISTICS = (
    "least_tokens",
    "max_capacity",
    "hra",
    "hold_until_fit",
    "mixing_impact",
    "mixing_seconds",
)
MEASURES = {
    "makespan_s": "makespan",
    "e2e_mean_s": "mean e2e",
    "ttft_mean_s": "mean TTFT",
    "ttft_p99_s": "p99 TTFT",
}

PAPER = {
    "join shortest queue (`least_tokens`)": -0.46,
    "min-min": -1.50,
    "maximum capacity (`max_capacity`)": -2.60,
    "baseline RL": -4.35,
    "workload-aware RL": -7.79,
    "workload-guided RL": -11.43,
}
"""Change of the makespan to round robin in %, as reported, at one KV size that is not stated."""

VARIANTS = {"rl_baseline": "none", "rl_aware": "fixed", "rl_guided": "fading"}

PAGE = Path(__file__).resolve().parents[2] / "docs" / "paper.md"

INTRODUCTION = """# The founding paper, simulated

`make paper` writes this page: the main study of Jain et al. 2024 (arXiv 2408.13510). Its mix of five
tasks, 2,000 requests at 20/s, 4 instances like a V100 with Llama-2-7B (batches of 128, prompts first),
and the KV cache swept, because the paper does not state its size and it decides what routing can do.

Cells are the change to `round_robin` in %, mean over {episodes} episodes with its 95 % interval; below 0
is better. The paper's "end-to-end latency" is the makespan: the seconds until all 2,000 are served. No
router knows an output length. `learned` is an evolution strategy over the linear form with its hold
rule, trained anew for each KV size on other episodes, for the makespan and the mean. `rl_baseline`,
`rl_aware` and `rl_guided` are the paper's three: a double DQN that may wait, without guidance, with a
fixed and with a fading one, {rounds} rounds of some 19,000 decisions, trained at {reinforced}. What they
learn hangs on the seed more than on the episodes: their rows are means over {seeds} seeds, their
intervals hold both, and the mean e2e of each seed stands below.
The paper's numbers are not known in full: `workloadlab/learning/guided.py` says what is ours.

| the paper's router | makespan |
|---|---|
{paper}
"""


def spread_of(mean, share):
    """The lognormal spread with that mean and that share over HEAVY; the least if none has it."""

    def over(spread):
        return stats.norm.sf((np.log(HEAVY / mean) + spread**2 / 2) / spread)

    grid = np.linspace(0.05, 2.5, 100)
    gaps = np.array([over(s) - share for s in grid])
    crossing = np.flatnonzero(np.diff(np.sign(gaps)))
    if not len(crossing):
        return float(grid[np.argmin(np.abs(gaps))])
    k = crossing[0]
    return float(optimize.brentq(lambda s: over(s) - share, grid[k], grid[k + 1]))


SPREADS = {name: spread_of(mean, share) for name, (_, _, mean, share) in TASKS.items()}


def episode(seed, requests=2000, rate_rps=20.0):
    """Draw an episode: tasks by their number of samples, lengths by their means."""
    rng = np.random.default_rng(seed)
    names = list(TASKS)
    counts = np.array([TASKS[name][0] for name in names], float)
    task = rng.choice(len(names), requests, p=counts / counts.sum())
    prompts, means = (np.array([TASKS[name][k] for name in names])[task] for k in (1, 2))
    spread = np.array([SPREADS[name] for name in names])[task]
    inputs = rng.lognormal(np.log(prompts) - 0.08, 0.4)
    outputs = rng.lognormal(np.log(means) - spread**2 / 2, spread)
    none = np.full(requests, -1)
    return Workload(
        np.cumsum(rng.exponential(1 / rate_rps, requests)),
        np.clip(np.rint(inputs), 1, 1000).astype(int),
        np.clip(np.rint(outputs), 1, 4000).astype(int),
        none, none,
    )  # fmt: skip


def cluster_of(kv_tokens, instances=4):
    return wl.Cluster.uniform(
        instances, V100, kv_blocks=kv_tokens // 16, max_num_seqs=128, batching="prefill_first",
        max_num_batched_tokens=2048, step_overhead_s=0.0,
    )  # fmt: skip


def cells_of(kv_tokens, seeds):
    there = cluster_of(kv_tokens)
    return [Cell(1.0, episode(seed), there, seed) for seed in seeds]


def problem_of(kv_tokens):
    """Other episodes, the makespan and the mean against round robin."""
    training, selection = cells_of(kv_tokens, range(100, 104)), cells_of(kv_tokens, range(200, 203))
    base = SHELF["round_robin"]
    [rival] = play([base], [*training, *selection])
    halves = rival[:4], rival[4:]
    return Problem(
        cluster=training[0].cluster, objective="makespan",
        weights={"makespan_s": 4.0, "e2e_mean_s": 0.5}, loads=(1.0,), training=training,
        selection=selection, test=episode(0), played=Played([base], [halves[0]], [halves[1]]),
        rival=Rival(base, *halves), needs=frozenset(), targets=Targets(),
    )  # fmt: skip


def learned_for(kv_tokens, generations, rounds, seeds):
    """Train the hold rule and the weights; with rounds the paper's three too, once for each seed."""
    problem = problem_of(kv_tokens)
    found = {"learned": [evolve(problem, generations=generations, seed=0).router]}
    for name, guidance in VARIANTS.items() if rounds else ():
        found[name] = []
        for seed in range(seeds):
            print("training", name, "seed", seed, flush=True)
            by_reward = learn_by_reward(problem, generations=rounds, seed=seed, guidance=guidance)
            found[name].append(by_reward.router)
    return {
        name: [replace(router, name=name).router() for router in routers]
        for name, routers in found.items()
    }


def half_of(values):
    """Half of the 95 % interval of a mean; none of one value."""
    if len(values) == 1:
        return 0.0
    return stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))


class Change(NamedTuple):
    """Change to round robin in %: the mean, half of its interval, and the mean of each seed."""

    mean: float
    half: float
    seeds: tuple[float, ...]

    @classmethod
    def of(cls, changes):
        """From changes by (seed, episode); both are drawn, and their intervals add as squares."""
        percent = 100 * np.array(changes)
        seeds = percent.mean(1)
        half = np.hypot(half_of(seeds), half_of(percent.mean(0)))
        return cls(float(seeds.mean()), float(half), tuple(seeds.tolist()))

    def __str__(self):
        return f"{self.mean:+.1f} ±{self.half:.1f}"


def compared(kv_tokens, episodes, generations, rounds, seeds):
    """Change to round robin by router and measure."""
    policies = {name: [SHELF[name]] for name in ("round_robin", *HEURISTICS)}
    policies |= learned_for(kv_tokens, generations, rounds, seeds)
    cells = cells_of(kv_tokens, range(episodes))
    played = {name: play(routers, cells) for name, routers in policies.items()}
    [base] = played.pop("round_robin")
    return {
        name: {
            measure: Change.of(
                [
                    [
                        getattr(a, measure) / getattr(b, measure) - 1
                        for a, b in zip(one, base, strict=True)
                    ]
                    for one in found
                ]
            )
            for measure in MEASURES
        }
        for name, found in played.items()
    }


def order_of(changes):
    """Say whether the paper's three stand in its order, if their intervals are apart."""
    found = [changes[name]["makespan_s"] for name in VARIANTS]
    if any(abs(b.mean - a.mean) < b.half + a.half for b, a in pairwise(found)):
        said = "cannot be told: their intervals overlap"
    else:
        means = [change.mean for change in found]
        said = "holds" if means == sorted(means, reverse=True) else "does not hold"
    return f"Baseline, aware, guided: the paper's order of makespans {said}."


def seeds_of(name, change):
    return f"- `{name}`, mean e2e by seed: {', '.join(f'{one:+.1f}' for one in change.seeds)}"


def section(kv_tokens, changes):
    """One KV size: where it lies, and the table."""
    saturated = saturation_rps(episode(300), cluster_of(kv_tokens))
    guided = min(PAPER.values())
    held = [
        name
        for name, found in changes.items()
        if abs(found["makespan_s"].mean - guided) <= found["makespan_s"].half
    ]
    said = (
        f"The paper's {guided} lies in the interval of: {', '.join(held)}."
        if held
        else (f"No interval holds the paper's {guided}.")
    )
    lines = [
        f"## {kv_tokens // 1000}k tokens of KV cache for each instance",
        "",
        f"Saturated at {saturated:.1f} requests/s: 20/s is a load of {20 / saturated:.2f}. {said}",
        "",
        "| router | " + " | ".join(MEASURES.values()) + " |",
        "|---" * (len(MEASURES) + 1) + "|",
    ]
    for name, found in changes.items():
        lines.append(f"| `{name}` | " + " | ".join(map(str, found.values())) + " |")
    if changes.keys() >= VARIANTS.keys():
        lines += ["", *(seeds_of(name, changes[name]["e2e_mean_s"]) for name in VARIANTS)]
        lines += ["", order_of(changes)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kv", type=int, nargs="*", default=[6, 8, 10, 12, 16, 24, 32])
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--generations", type=int, default=25)
    parser.add_argument("--reinforced", type=int, nargs="*", default=[10])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3, help="of the paper's three")
    parser.add_argument("--out", type=Path, default=PAGE)
    asked = parser.parse_args()
    paper = "\n".join(f"| {name} | {change:+.2f} |" for name, change in PAPER.items())
    sizes = ", ".join(f"{kv}k" for kv in asked.reinforced) or "none of them"
    parts = [
        INTRODUCTION.format(
            episodes=asked.episodes,
            paper=paper,
            rounds=asked.rounds,
            reinforced=sizes,
            seeds=asked.seeds,
        )
    ]
    for kv in asked.kv:
        rounds = asked.rounds if kv in asked.reinforced else 0
        changes = compared(1000 * kv, asked.episodes, asked.generations, rounds, asked.seeds)
        parts.append(section(1000 * kv, changes))
        print(parts[-1], flush=True)
    scenes = {f"{kv}k": (episode(400), cluster_of(1000 * kv)) for kv in (10, 32)}
    parts.append(mixing_section(scenes))
    asked.out.write_text("\n".join(parts), "utf-8")
    print(asked.out)


if __name__ == "__main__":
    main()
