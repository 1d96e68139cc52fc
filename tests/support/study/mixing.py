"""The mixing impact that routers estimate, against what the simulator measures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workloadlab.learning.gradients import gradients_of
from workloadlab.oracles.externality import agreement, externality
from workloadlab.routing import SHELF

if TYPE_CHECKING:
    import workloadlab as wl
    from workloadlab.routing import Router
    from workloadlab.simulation.workload import Workload

__all__ = ["mixing_section"]

SHARE = 0.2
FOLLOWED = "hra"

INTRODUCTION = """## Mixing impact

What a request inflicts on the others, simulated: at a fifth of the decisions of `{followed}` the cluster
is copied with the request on every instance, and once without it; what all others take longer, in
seconds summed over them. Beside it the paper's reward of the guidance (`mixing_impact`, turned so that
more is worse, and its decode part alone), and `mixing_seconds` with this cluster's gradients: the
seconds that it says are inflicted, and the whole score. *Least* is the share of decisions in which an
estimate names the instance where the least is inflicted; one drawn at random does in {chance:.0f} %.

True lengths rank placements better and fit them worse: the estimate has a long request slow its
neighbours down to its own end, also those that end before.

| KV cache | output length | estimate | correlation | of ranks | mean / measured | error | least |
|---|---|---|---|---|---|---|---|
"""


def _estimators(cluster: wl.Cluster) -> list[Router]:
    paper, seconds = SHELF["mixing_impact"], SHELF["mixing_seconds"]
    _, *gradients = gradients_of(cluster)
    return [
        replace(paper, name="the paper's reward"),
        replace(paper.with_params(alpha=0.0), name="its decode part"),
        replace(seconds.with_params(0.0, *gradients), name="seconds inflicted"),
        replace(seconds.with_params(0.5, *gradients), name="`mixing_seconds`"),
    ]


def mixing_section(scenes: dict[str, tuple[Workload, wl.Cluster]]) -> str:
    """Return the section of the page, by scene told the mean length or the true one."""
    rows, chances = [], []
    for scene, (workload, cluster) in scenes.items():
        known = replace(workload, predicted_tokens=workload.output_tokens)
        for told, requests in (("mean so far", workload), ("true", known)):
            labels = externality(requests, cluster, SHELF[FOLLOWED], share=SHARE)
            for one in agreement(labels, _estimators(cluster)):
                paper = "paper" in one.router or "decode" in one.router
                error = "" if paper else f"{one.error_s:.2f} s of {one.mean_s:.2f}"
                ratio = "" if paper else f"{one.ratio:.2f}"
                rows.append(
                    f"| {scene} | {told} | {one.router} | {one.correlation:.2f} | "
                    f"{one.rank_correlation:.2f} | {ratio} | {error} | {100 * one.least:.0f} % |"
                )
                chances.append(one.chance)
    chance = 100 * sum(chances) / len(chances)
    return INTRODUCTION.format(followed=FOLLOWED, chance=chance) + "\n".join(rows) + "\n"
