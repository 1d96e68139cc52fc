"""Which mix of two kinds of instance serves a trace for the least rent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import share
from workloadlab.errors import UsageError
from workloadlab.execution import run_lanes
from workloadlab.planning.prices import load_prices, price_of
from workloadlab.planning.question import Question
from workloadlab.planning.search import least_instances
from workloadlab.planning.tables import marked, noted, unsure_words
from workloadlab.planning.windows import peak_of, require_rate
from workloadlab.routing import resolve
from workloadlab.scoring.service_level import targets_words
from workloadlab.words import listed, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.planning.prices import Price
    from workloadlab.routing import Router
    from workloadlab.scoring import SLO
    from workloadlab.simulation import Cluster, Pool
    from workloadlab.tables import Cell, Table
    from workloadlab.trace import Trace

__all__ = ["Mix", "Mixes", "mixes"]

PARTS = 5
"""Numbers of the first kind that are tried, from none to as many as it needs alone."""


@dataclass(frozen=True)
class Mix:
    """One number of each kind that holds the peak.

    Attributes:
        counts: instances by pool.
        usd_per_hour: rent of all; None where a price is unknown.
        untold: why it cannot be told whether it holds the load, as a clause; "" where it can.
    """

    counts: dict[str, int]
    usd_per_hour: float | None
    untold: str = ""


@dataclass(frozen=True, kw_only=True)
class Mixes:
    """The mixes of two pools that hold the peak, the cheapest first; by GPUs where prices lack.

    Attributes:
        router: that places the requests.
        slo: targets, by latency.
        attain: share of the requests that must meet them.
        found: the mixes; empty if none holds it.
    """

    router: str
    slo: dict[str, float]
    attain: float
    found: tuple[Mix, ...]

    @property
    def sentence(self) -> str:
        """The answer."""
        goal = f"{self.attain * 100:.4g}% of the requests within {targets_words(self.slo)}"
        if not self.found:
            return f"No mix serves {goal} at the peak with {self.router}."
        best = self.found[0]
        said = listed([f"{count:,} of {name}" for name, count in best.counts.items() if count])
        cost = "" if best.usd_per_hour is None else f", ${best.usd_per_hour:,.2f} per hour"
        unsure = unsure_words(best.untold, sum(best.counts.values()))
        return f"The cheapest mix is {said}{cost}: {goal} at the peak with {self.router}.{unsure}"

    def table(self) -> Table:
        """Return one row per mix."""
        names = list(self.found[0].counts) if self.found else []
        rows: list[list[Cell]] = [
            [marked(f"{number + 1}", not mix.untold), *mix.counts.values(),
             None if mix.usd_per_hour is None else f"{mix.usd_per_hour:,.2f}"]
            for number, mix in enumerate(self.found)
        ]  # fmt: skip
        return noted("Mixes that hold the peak, cheapest first", ["", *names, "$/hour"], rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"sentence": self.sentence, **asdict(self)}


def mixes(
    trace: Trace,
    cluster: Cluster,
    *,
    slo: SLO,
    attain: float | str = 0.99,
    router: str | Router | Callable[..., Any] = "least_requests",
    prices: dict[str, Price] | None = None,
    threads: int | None = None,
) -> Mixes:
    """Find the cheapest mix of two pools at the peak, by simulation.

    Of the first pool none, a quarter, half, three quarters and all that it needs alone are tried; of the
    second the least number is searched beside each. More instances are taken to serve no worse.

    Args:
        trace: needs arrivals and lengths.
        cluster: two pools; their numbers of instances do not matter.
        slo: targets.
        attain: share of the requests that must meet them.
        router: as for `replay`.
        prices: by GPU; None for those that ship.
        threads: searches at a time; None for one per core.

    Raises:
        UsageError: not two pools, or requests at no two instants.

    Example:
        >>> from workloadlab import SLO, LatencyModel, Trace
        >>> from workloadlab.simulation import Cluster, Pool
        >>> trace = Trace.of([(number * 0.1, 10, 10) for number in range(300)])
        >>> fast, slow = (LatencyModel.linear(constant_s=s) for s in (0.02, 0.05))
        >>> cluster = Cluster(pools=[
        ...     Pool(name=name, instances=1, latency=model, max_num_seqs=1, step_overhead_s=0.0)
        ...     for name, model in (("fast", fast), ("slow", slow))])
        >>> found = mixes(trace, cluster, slo=SLO(e2e_s=1.0), router="round_robin")
        >>> len(found.found) > 0
        True
    """
    if len(cluster.pools) != 2:
        raise UsageError(
            f"a mix of {plural(len(cluster.pools), 'pool')}",
            fix="write two [[pool]] in the cluster",
        )
    from workloadlab.latency import load_predictor

    require_rate(trace)
    attain = share("attain", attain)
    rents = load_prices() if prices is None else prices
    policy = resolve(router, load=load_predictor)
    if policy.kind != "batch":
        policy.compiled  # noqa: B018  compiled once, before the threads ask for it
    first, second = cluster.pools
    peak = peak_of(trace, first.latency).trace

    def least(pools: tuple[Pool, ...], pool: int) -> tuple[int | None, str]:
        asked = Question(peak, replace(cluster, pools=pools), pool, policy, slo)
        count = least_instances(asked, attain, 2)
        return count, asked.untold(count)

    (alone, of_alone), (other, of_other) = run_lanes(
        least, [((first,), 0), ((second,), 0)], threads=threads
    )
    tried = [(alone, 0, of_alone)] if alone else []
    tried += [(0, other, of_other)] if other else []
    most = alone or other or 0
    counts = sorted({round(most * part / (PARTS - 1)) for part in range(1, PARTS - 1)} - {0, alone})
    beside = run_lanes(
        lambda n: least((replace(first, instances=n), second), 1), [(n,) for n in counts],
        threads=threads,
    )  # fmt: skip
    tried += [(n, m, untold) for n, (m, untold) in zip(counts, beside, strict=True) if m]
    found = [Mix({first.name: n, second.name: m},
                 _rent((first, n), (second, m), rents=rents), untold)
             for n, m, untold in tried]  # fmt: skip

    def order(mix: Mix) -> tuple[float, int]:
        gpus = sum(mix.counts[pool.name] * pool.latency.tp for pool in cluster.pools)
        return (mix.usd_per_hour if mix.usd_per_hour is not None else float(gpus), gpus)

    return Mixes(
        router=policy.name, slo=slo.to_dict(), attain=attain, found=tuple(sorted(found, key=order))
    )


def _rent(*counted: tuple[Pool, int], rents: dict[str, Price]) -> float | None:
    total = 0.0
    for pool, count in counted:
        price = price_of(pool.latency.gpu, rents)
        if price is None and count:
            return None
        total += count * pool.latency.tp * (price.usd_per_hour if price else 0.0)
    return total
