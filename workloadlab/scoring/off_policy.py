"""What a router would have achieved on a log whose requests another one placed: off-policy values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.scoring.timings import read_timings
from workloadlab.scoring.windows import standard_error
from workloadlab.words import plural, seconds, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings
    from workloadlab.trace import Trace

__all__ = ["OffPolicy", "off_policy"]

ENOUGH = 0.1
"""Share of the requests that the effective ones must reach for a value to be trusted."""

EDGES = (256, 1024, 4096, 16_384)
"""Of prompt tokens, within which the log's own router is taken to place alike."""


@dataclass(frozen=True, kw_only=True)
class OffPolicy:
    """Means of a latency in seconds: as logged, as simulated, and three estimates from the log alone.

    Attributes:
        latency: such as "ttft_s".
        requests: that have it and an instance.
        logged: of the log, with the router that placed it.
        simulated: of the replay with the router that is judged.
        ips: inverse propensity scores (Horvitz and Thompson, JASA 47, 1952).
        snips: the same with weights that sum to one (Swaminathan and Joachims, NeurIPS 2015).
        doubly_robust: with a least squares model of the latency (Dudik, Langford and Li, ICML 2011).
        low, high: 95 % interval of `doubly_robust`; None for too few requests.
        effective: independent requests that the weights are worth, (sum w)^2 / sum w^2.
        overlap: share of the requests that the router places where the log has them.
        most: largest weight.
    """

    latency: str
    requests: int
    logged: float
    simulated: float
    ips: float
    snips: float
    doubly_robust: float
    low: float | None
    high: float | None
    effective: float
    overlap: float
    most: float

    @property
    def trusted(self) -> bool:
        """Whether the effective requests are a tenth of all, or more."""
        return self.effective >= ENOUGH * self.requests

    def __str__(self) -> str:
        """Return the finding as a sentence."""
        said = (
            f"From the log alone, mean {self.latency.removesuffix('_s').upper()} would be "
            f"{seconds(self.doubly_robust)}"
        )
        if self.low is not None and self.high is not None:
            said += f" ({seconds(self.low)} to {seconds(self.high)})"
        said += f" where the replay says {seconds(self.simulated)}; "
        if self.trusted:
            return said + f"{share(self.overlap)} of the requests are placed as logged."
        return said + (
            f"do not trust it: {plural(self.requests, 'request is', 'requests are')} worth "
            f"{self.effective:,.0f}, so "
            "little do the two routers overlap."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "trusted": self.trusted}


def off_policy(log: Trace, runs: Sequence[Trace], latency: str = "ttft_s") -> OffPolicy:
    """Estimate a router's mean latency from a log with placements, beside its replay of the same log.

    The router's choices are those of its replay; over several seeds, each counts by how often it was
    made. The log's own chances are frequencies by prompt length. The estimates know nothing of queues
    that other choices would have made, so that they judge where to place a request, not how to balance.

    Args:
        log: requests with timings and instances, placed by whom ever.
        runs: outcomes of the router on these requests, one per seed. Instances are matched by name, or
            in the order of their names where the log calls them otherwise.
        latency: "ttft_s", "tpot_s" or "e2e_s".

    Raises:
        UnsupportedError: the log has no timings or instances.
        UsageError: other requests or another number of instances.

    Example:
        >>> import polars as pl
        >>> from workloadlab.trace import Trace
        >>> def placed(names, seconds):
        ...     return Trace.from_frame(pl.DataFrame({
        ...         "arrival_ns": range(4), "input_tokens": 1, "instance_id": names,
        ...         "ttft_ns": [s * 10**9 for s in seconds], "e2e_ns": [s * 10**9 for s in seconds]}))
        >>> log = placed(["fast", "slow", "fast", "slow"], [1, 3, 1, 3])
        >>> found = off_policy(log, [placed(["fast"] * 4, [1] * 4)])
        >>> found.logged, found.snips, round(found.doubly_robust, 6), found.overlap
        (2.0, 1.0, 1.0, 0.5)
    """
    log.require("timings", "off-policy values")
    log.require("instances", "off-policy values")
    logged = read_timings(log)
    replays = [read_timings(run) for run in runs]
    chances = np.mean([_choices(logged, replay) for replay in replays], axis=0)
    values: NDArray[np.float64] = getattr(logged, latency)
    known = np.isfinite(values) & (logged.instance >= 0) & logged.served
    if not known.any():
        raise UsageError(f"no request of the log has {latency} and an instance")
    order = np.flatnonzero(known)[np.argsort(logged.arrival_s[known], kind="stable")]
    reward, action, chance = values[order], logged.instance[order], chances[order]
    mine = chance[np.arange(len(order)), action]
    weights = mine / _propensity(logged, order)
    model = _fitted(logged, order, reward)
    expected = (chance * model).sum(axis=1)
    each = expected + weights * (reward - model[np.arange(len(order)), action])
    value = float(each.mean())
    error = standard_error((each - value) / len(each))
    total, squares = float(weights.sum()), float(weights @ weights)
    margin = error.margin if error else None
    return OffPolicy(
        latency=latency,
        requests=len(order),
        logged=float(reward.mean()),
        simulated=float(np.mean([np.nanmean(getattr(replay, latency)) for replay in replays])),
        ips=float((weights * reward).mean()),
        snips=float(weights @ reward / total) if total else float("nan"),
        doubly_robust=value,
        low=None if margin is None else value - margin,
        high=None if margin is None else value + margin,
        effective=total**2 / squares if squares else 0.0,
        overlap=float(mine.mean()),
        most=float(weights.max()),
    )


def _choices(logged: Timings, replay: Timings) -> NDArray[np.float64]:
    """Return 1 for the instance that a replay chose, by the log's numbers of instances."""
    pair = logged.match(replay)
    if pair is None:
        raise UsageError("the runs replay other requests than the log", fix="replay the log itself")
    here, there = pair
    names = logged.instances
    if set(replay.instances) <= set(names):
        at = np.array([names.index(name) for name in replay.instances])
    elif len(replay.instances) == len(names):
        at = np.arange(len(names))
    else:
        raise UsageError(
            f"the log has {plural(len(names), 'instance')} and the runs {len(replay.instances):,}",
            fix="replay on a cluster of the log's size",
        )
    found = np.zeros((len(logged), len(names)))
    placed = replay.instance[there] >= 0
    found[here[placed], at[replay.instance[there[placed]]]] = 1.0
    return found


def _propensity(logged: Timings, order: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how often the log's router chose what it chose, among prompts of like length."""
    count = len(logged.instances)
    bucket = np.searchsorted(EDGES, logged.input_tokens[order], side="right")
    taken = np.zeros((len(EDGES) + 1, count))
    np.add.at(taken, (bucket, logged.instance[order]), 1.0)
    shares: NDArray[np.float64] = taken / np.maximum(taken.sum(axis=1, keepdims=True), 1.0)
    return shares[bucket, logged.instance[order]]


def _fitted(
    logged: Timings, order: NDArray[np.intp], reward: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the latency that each instance would give, by least squares over the lengths."""
    count = len(logged.instances)
    lengths = np.stack((logged.input_tokens[order], logged.output_tokens[order]), axis=1)
    found = np.empty((len(order), count))
    design = np.column_stack((np.ones(len(order)), lengths))
    for instance in range(count):
        own = logged.instance[order] == instance
        if own.sum() > design.shape[1]:
            weights, *_ = np.linalg.lstsq(design[own], reward[own], rcond=None)
            found[:, instance] = design @ weights
        else:
            found[:, instance] = reward[own].mean() if own.any() else reward.mean()
    return found
