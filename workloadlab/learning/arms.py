"""Four arms for every claim about lengths: none, a constant, predicted ones, and the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.learning.blocks import time_blocks
from workloadlab.learning.lengths.predictor import fit_lengths
from workloadlab.simulation.metrics import replay_metrics
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster

__all__ = ["ARMS", "length_arms"]

ARMS = ("none", "constant", "predicted", "true")
"""What routers are told of a request's output: nothing, the earlier mean, a prediction, its length."""


def length_arms(
    trace: Trace,
    cluster: Cluster,
    routers: Iterable[str | Router | Callable[..., Any]],
    *,
    rate_scale: float | Iterable[float] = 1.0,
    seeds: int = 1,
) -> pl.DataFrame:
    """Replay the last quarter of a trace with each knowledge of output lengths.

    A gain that the constant gives too is none of the predictor's. The constant and the predictor are of
    the first half. Told nothing, a router sees the mean of what has ended so far.

    Args:
        trace: needs output lengths, and 400 requests.
        cluster: what the routers choose among.
        routers: as in `replay`; such as need no predictions.
        rate_scale: arrival rates relative to the trace.
        seeds: number of seeds.

    Returns:
        The rows of `replay_metrics`, with the arm in `lengths`.

    Raises:
        UnsupportedError: the trace records no output lengths, or a router needs what it lacks.
        UsageError: it is too short for three blocks.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(k, 10 + 90 * (k % 2), 5 + 50 * (k % 2)) for k in range(400)])
        >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.01))
        >>> length_arms(trace, cluster, ["least_tokens"])["lengths"].to_list()
        ['none', 'constant', 'predicted', 'true']
    """
    trace.require("lengths", "the four arms")
    blocks, routers = time_blocks(trace), list(routers)
    test = blocks.test.frame.collect()
    mean = blocks.train.read("output_tokens")["output_tokens"].to_numpy().mean()
    predicted = fit_lengths(blocks.train).predict(blocks.test)
    told = {
        "none": np.full(len(test), np.nan),
        "constant": np.full(len(test), mean),
        "predicted": predicted,
        "true": test["output_tokens"].cast(pl.Float64).to_numpy(),
    }
    rows = []
    for arm in ARMS:
        tokens = pl.Series(told[arm]).fill_nan(None).round().cast(pl.UInt32)
        frame = test.with_columns(predicted_output_tokens=tokens)
        there = Trace.from_frame(frame, provenance=blocks.test.provenance)
        found = replay_metrics(there, cluster, routers=routers, rate_scale=rate_scale, seeds=seeds)
        rows.append(found.select(pl.lit(arm).alias("lengths"), pl.all()))
    return pl.concat(rows)
