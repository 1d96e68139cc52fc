"""The cells of a sweep: one run each, in the order clusters x routers x rate scales x seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import listed, whole_number, whole_numbers
from workloadlab.errors import UsageError
from workloadlab.oracles import ORACLES, Oracle
from workloadlab.routing import resolve_all
from workloadlab.scoring import SLO
from workloadlab.simulation import Cluster
from workloadlab.simulation.runs import lanes_of, told_apart
from workloadlab.sweeping.keys import cell_key, key_of, key_of_cluster, key_of_router, key_of_trace
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloadlab.routing import Router
    from workloadlab.simulation.workload import Sessions
    from workloadlab.trace import AnyTrace

    AnyClusters = Cluster | str | Path | Iterable[Cluster | str | Path] | Mapping[str, Any]

__all__ = ["Cell", "Grid"]

MOST_CELLS = 100_000


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        cluster: the name of its cluster.
        router: the name of its router.
        rate_scale, seed: of the run.
        run_id: its name within the sweep.
        key: digest of all that it is made from.
    """

    cluster: str
    router: str
    rate_scale: float
    seed: int
    run_id: str
    key: str


@dataclass(frozen=True)
class Grid:
    """What a sweep replays.

    Attributes:
        trace: what is replayed.
        clusters: on what, by name.
        routers: what each router was named by: a word, or a router.
        policies: the routers themselves.
        rate_scales: relative to the trace.
        seeds: number of seeds; a router that draws nothing is run with the first only.
        sessions: when later turns arrive, as in `replay`.
        slo: targets that the runs are scored with.
    """

    trace: Trace
    clusters: dict[str, Cluster]
    routers: tuple[Any, ...]
    policies: tuple[Router, ...]
    rate_scales: tuple[float, ...] = (1.0,)
    seeds: int = 1
    sessions: Sessions = "open"
    slo: SLO | None = None

    @classmethod
    def of(
        cls,
        trace: AnyTrace,
        clusters: AnyClusters,
        instances: Iterable[int] = (),
        *,
        routers: Any = ("round_robin", "least_requests"),
        rate_scale: float | Iterable[float] = 1.0,
        seeds: int = 1,
        sessions: Sessions = "open",
        slo: SLO | str | None = None,
    ) -> Grid:
        """Return the grid of the arguments of `sweep`.

        Raises:
            UsageError: nothing to replay, too much of it, an oracle, or a size of a cluster with several
                pools.
        """
        from workloadlab.latency import load_predictor

        specs = _listed(routers)
        seeds = whole_number("seeds", seeds)
        _refuse_oracles(specs)
        policies = told_apart(resolve_all(specs, load=load_predictor))
        lanes = lanes_of(policies, rate_scale, seeds)
        sized = _sized(_named(clusters), whole_numbers("instances", instances))
        if len(lanes) * len(sized) > MOST_CELLS:
            raise UsageError(f"more than {MOST_CELLS:,} runs in one sweep", fix="split it")
        return cls(
            trace=Trace.open(trace),
            clusters=sized,
            routers=tuple(specs),
            policies=tuple(policies),
            rate_scales=tuple(dict.fromkeys(scale for _, scale, _ in lanes)),
            seeds=seeds,
            sessions=sessions,
            slo=None if slo is None else SLO.of(slo),
        )

    @cached_property
    def trace_key(self) -> str:
        """Digest of the trace."""
        return key_of_trace(self.trace)

    @cached_property
    def router_keys(self) -> dict[str, str]:
        """Digests of the routers by name."""
        return {policy.name: key_of_router(policy) for policy in self.policies}

    @cached_property
    def key(self) -> str:
        """Digest of the whole sweep."""
        return key_of([(cell.run_id, cell.key) for cell in self.cells])

    @cached_property
    def cells(self) -> list[Cell]:
        """Every run, once."""
        targets = self.slo.to_dict() if self.slo else {}
        found = []
        for name, cluster in self.clusters.items():
            cluster_key = key_of_cluster(cluster)
            for policy in self.policies:
                drawn = self.seeds if draws(policy, cluster) else 1
                for _, scale, seed in lanes_of([policy], self.rate_scales, drawn):
                    run_id = f"{policy.name}__x{scale!r}__s{seed}"
                    key = cell_key(
                        self.trace_key, cluster_key, self.router_keys[policy.name],
                        rate_scale=scale, seed=seed, sessions=self.sessions, slo=targets,
                    )  # fmt: skip
                    found.append(
                        Cell(name, policy.name, scale, seed, self.run_id(name, run_id), key)
                    )
        return found

    @property
    def repeats(self) -> int:
        """Runs that are left out, because another seed would change nothing."""
        lanes = len(self.policies) * len(self.rate_scales) * self.seeds
        return lanes * len(self.clusters) - len(self.cells)

    def run_id(self, cluster: str, run_id: str) -> str:
        """Return the name of a run of one of the clusters."""
        return f"{cluster}__{run_id}" if len(self.clusters) > 1 else run_id

    @property
    def cluster_facts(self) -> dict[str, Any]:
        """The clusters as a manifest has them."""
        facts = {name: cluster.to_dict() for name, cluster in self.clusters.items()}
        return {"clusters": facts} if len(facts) > 1 else next(iter(facts.values()))


def draws(policy: Router, cluster: Cluster) -> bool:
    """Say whether anything in a run may depend on its seed.

    Example:
        >>> from workloadlab.latency import LatencyModel
        >>> from workloadlab.routing import SHELF
        >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.1))
        >>> draws(SHELF["least_requests"], cluster), draws(SHELF["random"], cluster)
        (False, True)
    """
    noisy = any(pool.step_noise > 0 for pool in cluster.pools)
    return policy.may_see("draw") or cluster.replicas > 1 or noisy


def _listed(routers: Any) -> list[Any]:
    """Return what names a router, one by one."""
    if isinstance(routers, str):
        return [word.strip() for word in routers.split(",") if word.strip()]
    return list(routers) if isinstance(routers, list | tuple) else [routers]


def _refuse_oracles(routers: list[Any]) -> None:
    """Refuse what is played by another verb: it simulates before it chooses, and is no router."""
    for each in routers:
        if isinstance(each, Oracle) or (isinstance(each, str) and each in ORACLES):
            name = each.name if isinstance(each, Oracle) else each
            raise UsageError(
                f"{name} is an oracle, and oracles cannot be swept",
                fix=f"take it out, and play it alone: wl.replay_oracles(trace, cluster, {name!r})",
            )


def _named(clusters: AnyClusters) -> dict[str, Cluster]:
    """Return clusters by name: of their file, or numbered."""
    if isinstance(clusters, Mapping):
        return {str(name): Cluster.load(each) for name, each in clusters.items()}
    one = isinstance(clusters, Cluster | str | Path)
    several = [clusters] if one else listed("clusters", clusters)
    found: dict[str, Cluster] = {}
    for number, each in enumerate(several, start=1):
        cluster = Cluster.load(each)
        name = f"cluster{number}" if isinstance(each, Cluster) else Path(each).stem
        if name in found:
            raise UsageError(f"two clusters are called {name!r}", fix="rename one of the files")
        found[name] = cluster
    if not found:
        raise UsageError("a sweep needs a cluster", fix="name at least one")
    return found


def _sized(clusters: dict[str, Cluster], instances: list[int]) -> dict[str, Cluster]:
    """Return each cluster in each size."""
    if not instances:
        return clusters
    for name, cluster in clusters.items():
        if len(cluster.pools) != 1:
            raise UsageError(
                f"sizes are of a cluster of one pool, and {name} has {len(cluster.pools)}",
                fix="leave the other pools or the sizes out",
            )
    return {
        f"{name}-{size}": replace(cluster, pools=(replace(cluster.pools[0], instances=size),))
        for name, cluster in clusters.items()
        for size in dict.fromkeys(instances)
    }
