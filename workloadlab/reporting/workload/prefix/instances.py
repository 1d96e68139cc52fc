"""Hit ratio by the number of instances, each with a cache of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.reporting.canvas import canvas, series, share_axis
from workloadlab.reporting.facts import Curve, Key, Plot
from workloadlab.words import listed, plural, share, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Prefix
    from workloadlab.reporting.workload.place import Place

__all__ = ["InstanceCounts", "plot_instances"]

INSTANCES_SAID = 8
ROUTERS = {
    "random": "random",
    "round_robin": "round robin",
    "session_affinity": "session affinity",
    "prefix_aware": "prefix-aware",
}


@dataclass(frozen=True)
class InstanceCounts:
    """(instances, hit ratio) curves, one per router.

    Attributes:
        ceiling: hit ratio of a single instance.
    """

    kind: ClassVar = "instances"

    instances: tuple[int, ...]
    ceiling: float
    curves: tuple[Curve, ...]

    def draw(self) -> Figure:
        """Draw the curves over instances, each doubling as wide as the one before."""
        figure, axes = canvas()
        for curve in self.curves:
            instances, ratios = zip(*curve.points, strict=True)
            axes.plot(np.log2(instances), ratios, marker="o", markersize=4.5, **series(curve.style))
        axes.set_xticks(np.log2(self.instances), [str(n) for n in self.instances])
        share_axis(axes, self.ceiling)
        axes.set_xlabel("instances, each with a cache of its own")
        axes.set_ylabel("block hit ratio")
        return figure


def plot_instances(prefix: Prefix, place: Place) -> Plot:
    """Say what each router keeps of the hits when the cache is split among instances."""
    title, plot_id = "Hit ratio by number of instances", place.id("instances")
    points, single = prefix.by_instances, prefix.ceiling.block_hit_ratio
    if not single:
        return Plot(id=plot_id, title=title, reading="No cached block is ever hit.")
    routers = list(dict.fromkeys(point.router for point in points))
    return Plot(
        id=plot_id,
        title=title,
        reading=_reading(prefix),
        definition="Share of the blocks that the chosen instance has seen before, each instance "
        "keeping all it ever saw; from the order of the requests alone, without timings. "
        + (
            "Session affinity: a session stays where chance put it. "
            if "session_affinity" in routers
            else ""
        )
        + (
            "Prefix-aware: the longest prefix among the "
            "instances that have prefilled at most 1.25 times the mean. "
            if "prefix_aware" in routers
            else "Prefix-aware placement needs all blocks together, and is not measured in parts. "
        )
        + "They bound what routers can keep; none of them is a router to replay.",
        n=f"{plural(prefix.requests, 'request')}, {plural(prefix.blocks, 'block')}",
        drawing=InstanceCounts(
            instances=tuple(sorted({point.instances for point in points})),
            ceiling=single,
            curves=tuple(
                Curve(
                    style,
                    tuple((p.instances, p.block_hit_ratio) for p in points if p.router == router),
                )
                for style, router in enumerate(routers)
            ),
        ),
        legend=tuple(Key(ROUTERS[router], style) for style, router in enumerate(routers)),
    )


def _reading(prefix: Prefix) -> str:
    points, single = prefix.by_instances, prefix.ceiling.block_hit_ratio
    said_of = max(point.instances for point in points if point.instances <= INSTANCES_SAID)
    at = sorted(
        (point for point in points if point.instances == said_of),
        key=lambda point: -point.block_hit_ratio,
    )
    kept = listed([f"{ROUTERS[point.router]} {share(point.block_hit_ratio)}" for point in at])
    return (
        f"One instance would hit {share(single)} of the blocks; of {said_of} without a shared "
        f"cache, by routing: {kept}. With {ROUTERS[at[0].router]} the busiest instance prefills "
        f"{three(at[0].imbalance)} times the mean."
    )
