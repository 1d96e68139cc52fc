"""Oracle labels: what a router saw, and what each of its choices would have cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.arguments import checked, whole_number
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.oracles.look_ahead import planned
from workloadlab.routing import INSTANCE, REQUEST, Router, resolve
from workloadlab.simulation import Cluster
from workloadlab.simulation.engine.run import blame
from workloadlab.simulation.engine.verdict import lane_problem
from workloadlab.simulation.event import refuse_events
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloadlab.simulation.workload import Workload
    from workloadlab.trace import AnyTrace

    Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["CostWeights", "Labels", "labels_of", "oracle_labels"]


_ANYBODY = Router("anybody", max, kind="batch")
"""Whoever gets the labels: may read every signal, also those that the routers do not."""


@dataclass(frozen=True)
class CostWeights:
    """What a choice costs: weighted seconds of all requests that it concerns, and missed targets.

    Attributes:
        e2e: weight of a second from arrival to last token.
        ttft: weight of a second to the first token.
        miss: seconds that a request costs which misses a target.
        ttft_s: the target of the time to first token.
        tpot_s: the target of the time per later token.
    """

    e2e: float = 1.0
    ttft: float = 0.0
    miss: float = 0.0
    ttft_s: float = np.inf
    tpot_s: float = np.inf


@dataclass(frozen=True)
class Labels:
    """Decisions with the cost of every choice.

    Attributes:
        requests: records (decisions,) as the router saw them.
        instances: records (decisions, instances), with every signal that needs no declaration.
        costs: (decisions, instances + 1), in weighted seconds; NaN where the request cannot go. The
            last column is that of waiting in the router's queue, which the router of the trials ends.
        chosen: (decisions,) what the router that was followed chose; -1 to wait.
        inflicted: (decisions, instances), how much of the cost is what others pay because the request is
            there: theirs, less theirs in a trial without it. No rows if nobody asked.
    """

    requests: Array
    instances: Array
    costs: Array
    chosen: Array
    inflicted: Array

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def regret(self) -> Array:
        """By decision, the cost of what was chosen above that of the best choice."""
        rows = np.arange(len(self))
        regret: Array = self.costs[rows, self.chosen] - np.nanmin(self.costs, axis=1)
        return regret


@checked
def oracle_labels(
    trace: AnyTrace,
    cluster: Cluster | str | Path,
    policy: str | Router | Callable[..., Any] = "hra",
    *,
    base: str | Router | Callable[..., Any] | None = None,
    ahead: int = 32,
    share: float = 0.1,
    weights: CostWeights | None = None,
    rate_scale: float = 1.0,
    seed: int = 0,
) -> Labels:
    """Replay a trace with a router, and at some decisions try every choice, and to wait.

    A trial is that of `rollout`: the request goes there, the next `ahead` arrivals follow under the
    base, all run to their end. The router itself goes on as if nothing had been tried.

    Args:
        trace: what to replay.
        cluster: on what.
        policy: the router to follow, one that chooses (`kind="choose"`).
        base: what goes on in a trial, one that chooses; None for the router itself.
        ahead: arrivals in a trial.
        share: of the requests that get a label, drawn by the seed.
        weights: of the cost; None for the summed latency.
        rate_scale: arrival rate relative to the trace.
        seed: of the run and of the draw.

    Raises:
        UnsupportedError: the trace lacks what the replay or the router needs, the cluster has events, or
            router and base cannot be shown the same.
        UsageError: a router that scores, or a share that is none.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0, 10, 20), (0, 10, 2), (0.001, 10, 20)])
        >>> model = LatencyModel.linear(constant_s=0.1)
        >>> cluster = Cluster.uniform(2, model, step_overhead_s=0.0, max_num_seqs=1)
        >>> labels = oracle_labels(trace, cluster, "hold_until_fit", share=1.0, ahead=8)
        >>> labels.chosen.tolist(), labels.costs.round(1)[1].tolist()
        ([0, 1, -1], [6.2, 4.4, 4.4])
    """
    trace, cluster = Trace.open(trace), Cluster.load(cluster)
    refuse_events(cluster.events, "an oracle")
    followed = resolve(policy)
    goes_on = followed if base is None else resolve(base)
    workload, simulated = workload_and_cluster(trace, cluster, [followed, goes_on], "open")
    return labels_of(
        workload.scaled(rate_scale), simulated, followed, goes_on,
        ahead=ahead, share=share, weights=weights, seed=whole_number("seed", seed, 0),
    )  # fmt: skip


def labels_of(
    workload: Workload,
    cluster: Cluster,
    policy: Router,
    base: Router | Array,
    *,
    ahead: int,
    share: float,
    weights: CostWeights | None = None,
    seed: int = 0,
    inflicted: bool = False,
) -> Labels:
    """Return the labels of a workload; `base` may be a plan, an instance for each request."""
    from workloadlab.oracles.forked import forked_lane
    from workloadlab.oracles.labels_kernel import label_decisions
    from workloadlab.simulation.engine.by_address import ROUTERS
    from workloadlab.simulation.engine.lane import STATUS_DONE, run_lane
    from workloadlab.simulation.engine.setup import address_of

    goes_on = planned if isinstance(base, np.ndarray) else base
    for one in (policy, goes_on):
        if one.kind != "choose":
            raise UsageError(
                f"router {one.name!r} scores, and labels follow one that chooses",
                fix='write it with kind="choose", as most on the shelf are: hra, llmd_latency',
            )
    if not 0 < share <= 1 or ahead < 0:
        raise UsageError(
            f"labels for a share of {share} with {ahead} arrivals ahead",
            fix="use a share above 0, at most 1",
        )
    if goes_on is not planned:  # that one sees nothing
        _refuse_other_eyes(policy, goes_on, cluster)
    two = forked_lane(workload, cluster, policy, seed, (goes_on, _ANYBODY))
    two.fork.lane["choose"] = address_of(goes_on.compiled, ROUTERS["choose"])
    numbers = base if isinstance(base, np.ndarray) else np.array(base.params)
    two.fork.put_params(np.asarray(numbers, float))
    drawn = np.random.default_rng(seed).random(len(workload)) < share
    label = np.where(drawn, np.cumsum(drawn) - 1, -1)
    count, instances = int(drawn.sum()), len(cluster.instance_names)
    asked, seen = np.zeros(count, REQUEST), np.zeros((count, instances), INSTANCE)
    costs, chosen = np.full((count, instances + 1), np.nan), np.full(count, -2)
    others = np.full((count if inflicted else 0, instances), np.nan)
    priced = weights or CostWeights()
    numbers = np.array([priced.e2e, priced.ttft, priced.miss, priced.ttft_s, priced.tpot_s])
    with blame(policy):
        status, row, said = label_decisions(
            two.lane.lane, two.fork.lane, two.state, two.forked, run_lane, label, asked, seen, costs,
            others, chosen, two.lane.arrays["memory"].copy(), numbers, min(ahead, len(workload)),
        )  # fmt: skip
    if status != STATUS_DONE:
        raise lane_problem(status, row, said, policy, two.lane, cluster)
    offered = chosen > -2  # one that no instance could ever serve is not
    return Labels(
        asked[offered], seen[offered], costs[offered], chosen[offered],
        others[offered] if inflicted else others,
    )  # fmt: skip


def _refuse_other_eyes(policy: Router, base: Router, cluster: Cluster) -> None:
    """Refuse a base that would have to be shown something else than the router that is followed.

    Raises:
        UnsupportedError: one is told true lengths, keeps another prefix index, or counts otherwise what
            it has sent since a report.
    """
    both = (policy, base)
    differ: dict[str, list[Any]] = {
        "needs the true output lengths": ["oracle" in one.reads for one in both],
        "keeps a prefix index of its own": [one.index for one in both if "prefix" in one.reads],
        "forgets what it has sent when a report arrives": [
            one.overwrites for one in both if cluster.signal_interval_s > 0
        ],
    }
    for what, facts in differ.items():
        if any(fact != facts[0] for fact in facts):
            raise UnsupportedError(
                f"labels of router {policy.name!r} with {base.name!r} in the trials: only one of them "
                f"{what}",
                fix="follow and try with routers that are shown the same, or with one router",
            )
