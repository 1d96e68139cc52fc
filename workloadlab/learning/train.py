"""A trace and a cluster become a router that beats every heuristic there, or the best of these."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from workloadlab._version import __version__
from workloadlab.arguments import checked, file_path, numbers, whole_number
from workloadlab.errors import UsageError
from workloadlab.execution import engine_named
from workloadlab.hints import did_you_mean
from workloadlab.learning.auto import auto
from workloadlab.learning.card import card_of, doubt_of
from workloadlab.learning.es import evolve
from workloadlab.learning.found import RunFolder
from workloadlab.learning.guided import learn_by_reward
from workloadlab.learning.imitation import imitate
from workloadlab.learning.importance import importance_of
from workloadlab.learning.problem import LOADS, silent, stated
from workloadlab.learning.seeds import best_of_seeds
from workloadlab.routing.learned.artefact import HEURISTIC, LearnedRouter
from workloadlab.routing.learned.forms import FORMS
from workloadlab.routing.learned.rules import DOMAIN, NOTES
from workloadlab.simulation import Cluster
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.metrics import Targets
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workloadlab.learning.problem import Problem
    from workloadlab.learning.seeds import Method
    from workloadlab.trace import AnyTrace

__all__ = ["METHODS", "train"]

METHODS: dict[str, Method] = {
    "es": partial(best_of_seeds, evolve),
    "imitation": partial(best_of_seeds, imitate),
    "auto": auto,
    "workload_guided": partial(best_of_seeds, learn_by_reward),
}
"""What trains on a problem, by name."""


@checked
def train(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    *,
    method: str = "es",
    objective: str = "balanced",
    loads: Sequence[float] = LOADS,
    seeds: int = 3,
    generations: int | None = None,
    ttft_s: float | None = None,
    tpot_s: float | None = None,
    name: str = "learned",
    folder: str | Path | None = None,
    say: Callable[[str], None] = silent,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
) -> LearnedRouter:
    """Train a router on the first half of a trace, choose on the next quarter, test on the last.

    The rival is the best heuristic of the whole shelf by the objective, over training and selection,
    each of which has every load on the cluster and on one of twice its size.
    What does not beat it by 1 % on the selection block is refused, and the heuristic is returned by
    name: `router.verdict` says which and why, and where the test block does not confirm it.

    Args:
        trace: needs arrivals and output lengths; at least 400 requests.
        cluster: what to route to; at least two instances.
        method: "es"; "imitation", boosted trees on what each choice would have cost; "auto", what "es"
            finds for all loads or by band of load, if every seed of it is better there and nothing
            lengthens a tail, the p95 of TTFT too, else the best heuristic; "workload_guided", the
            founding paper's reinforcement learning.
        objective: "balanced", mean e2e and some mean TTFT; "e2e"; "ttft"; or "goodput". In each a p99
            of TTFT or e2e more than 3 % longer than the rival's costs.
        loads: arrival rates over saturation.
        seeds: number of searches; the best by the selection block counts.
        generations: of one search; None for as many as the method takes.
        ttft_s: targets that goodput counts.
        tpot_s: the same of the time per later token.
        name: of the router.
        folder: where to keep configuration, seeds and curves; a training goes on there if it was
            interrupted.
        say: told of progress, a sentence at a time.
        engine: who searches with each seed: local, this process; dask or ray, the workers of a cluster.
        address: of that cluster.
        threads: lanes at a time; the outcome depends neither on it nor on the engine.

    Returns:
        The router, for `wl.replay(..., routers=[router])`, with its card; `router.save("router.json")`.

    Raises:
        UnsupportedError: the trace has no output lengths, or a package is missing.
        UsageError: an unknown method or objective, one instance, too short a trace, a pool that cannot
            serve it, a folder with another training, or an engine that is not installed.
        MachineError: no cluster answers at the address.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0.1 * k, 100 + 900 * (k % 5 == 0), 20) for k in range(400)])
        >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4))
        >>> router = train(trace, cluster, loads=[0.9], seeds=1, generations=2)
        >>> router.form in ("linear", "heuristic")
        True
    """
    trace, cluster = Trace.open(trace), Cluster.load(cluster)
    if method not in METHODS:
        raise UsageError(f"no method is called {method!r}", fix=did_you_mean(method, METHODS))
    seeds = whole_number("seeds", seeds)
    generations = None if generations is None else whole_number("generations", generations)
    loads = numbers("loads", loads)
    targets = Targets(np.inf if ttft_s is None else ttft_s, np.inf if tpot_s is None else tpot_s)
    kept = RunFolder(None if folder is None else file_path("folder", folder))
    with engine_named(engine, address, threads=threads) as runs_on:
        problem = stated(
            trace, cluster, objective=objective, loads=loads, targets=targets, say=say,
            threads=threads, engine=None if engine == "local" else runs_on,
        )  # fmt: skip
        facts = {
            "method": method,
            "objective": objective,
            "loads": list(loads),
            "seeds": seeds,
            "generations": generations,
            "instances": len(cluster.instance_names),
            "requests": trace.requests,
            "rival": problem.rival.policy.name,
            "version": __version__,
        }
        kept.begin(facts | {"targets": [str(ttft_s), str(tpot_s)], "cluster": cluster.to_dict()})
        trained = METHODS[method](problem, seeds=seeds, generations=generations, kept=kept)
    rival = problem.rival.policy.name
    facts |= {"verdict": trained.verdict, **trained.facts}
    if trained.router is None:
        router = LearnedRouter(name=name, form=HEURISTIC, body={"router": rival})
    else:
        domain = _domain(problem, trained.router)
        if trained.router.form in FORMS:
            facts["importance"] = importance_of(trained.router.router(), problem.selection[0])
        router = replace(trained.router, name=name, needs=problem.needs, domain=domain)
    say("testing on the last block")
    card = card_of(problem.rival.policy if trained.router is None else router.router(), problem)
    if trained.router is not None and (doubt := doubt_of(card)):
        facts["verdict"] = f"{trained.verdict}. {doubt}"
    return replace(router, card=card, provenance=facts)


def _domain(problem: Problem, router: LearnedRouter) -> dict[str, tuple[float, float]]:
    """Return the range of what the router met in the training cells, if it notes that."""
    policy = router.router()
    if policy.memory is not NOTES:
        return {}
    outcomes = [replay_lane(c.workload, c.cluster, policy, c.seed) for c in problem.training]
    ranges = [
        own[NOTES.lowest : NOTES.highest + len(DOMAIN)]
        for outcome in outcomes
        for own in outcome.memory
        if own[NOTES.decisions] > 0
    ]
    met = np.array(ranges).reshape(len(ranges), 2, len(DOMAIN))
    low, high = met[:, 0].min(axis=0), met[:, 1].max(axis=0)
    return {name: (float(a), float(b)) for name, a, b in zip(DOMAIN, low, high, strict=True)}
