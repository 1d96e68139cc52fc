"""The limits of an engine as its queue shows them, and where a cluster file contradicts them.

While requests wait, an engine is full of something. If the number of running sequences stands still,
it is `max_num_seqs`; if it varies and the tokens that they hold stand still, it is the KV cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.words import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.calibration.observed import Observed
    from workloadlab.simulation import Pool

__all__ = ["Occupancy", "likely_causes", "occupancy_of"]

Floats = Any

_QUEUE = 8
"""Requests that must wait for an engine to count as full."""
_LONG_ENOUGH = 0.05
"""Share of the busy time that an engine must be full for its limit to show."""
_STANDS = 0.04
"""A quantity stands still if, of the time in which the engine is full, nine tenths are within this."""
_OFF = 0.03
"""A limit is contradicted if off by this share; a cache, whose fill is estimated, by thrice that."""


@dataclass(frozen=True)
class Occupancy:
    """What one instance held, at its most and while requests waited.

    Attributes:
        most_seqs, most_blocks: largest number of sequences that decoded at once, and of KV blocks that
            they held.
        full_share: share of the busy time in which at least eight requests waited.
        seqs, blocks: 95 % quantile of each over that time.
        seqs_range, blocks_range: from the 10 % to the 95 % quantile, relative to the latter.
    """

    most_seqs: int
    most_blocks: int
    full_share: float
    seqs: int
    blocks: int
    seqs_range: float
    blocks_range: float

    @property
    def limited_by(self) -> str:
        """Return "max_num_seqs", "kv_blocks", or "" where the log shows neither."""
        if self.full_share < _LONG_ENOUGH:
            return ""
        still = max(_STANDS, 1.5 / max(self.seqs, 1))
        if self.seqs_range <= min(still, self.blocks_range):
            return "max_num_seqs"
        return "kv_blocks" if self.blocks_range < min(4 * _STANDS, self.seqs_range / 2) else ""


def occupancy_of(observed: Observed, block_size: int) -> Occupancy:
    """Measure the lane that was full for the longest time; of several instances, their mean."""
    found = [
        _lane(observed, np.flatnonzero(observed.lane == lane), block_size, laid.instances)
        for lane, laid in enumerate(observed.lanes)
    ]
    return max(found, key=lambda one: one.full_share)


def _lane(observed: Observed, rows: Floats, block_size: int, instances: int) -> Occupancy:
    rows = rows[np.isfinite(observed.end_s[rows]) & np.isfinite(observed.first_s[rows])]
    arrival, first, end = (
        getattr(observed, name)[rows] for name in ("arrival_s", "first_s", "end_s")
    )
    inputs, outputs = observed.input_tokens[rows], observed.output_tokens[rows]
    moments = np.unique(np.concatenate([arrival, first, end]))
    lasting = np.diff(moments)

    def during(begin: Floats, until: Floats, amount: Floats) -> NDArray[np.float64]:
        change = np.bincount(np.searchsorted(moments, begin), amount, len(moments))
        change -= np.bincount(np.searchsorted(moments, until), amount, len(moments))
        return np.asarray(np.cumsum(change)[:-1])

    ones = np.ones(len(rows))
    rate = (outputs - 1) / np.maximum(end - first, 1e-9)
    seqs = during(first, end, ones) / instances
    waiting = during(arrival, first, ones) / instances
    middle = (moments[1:] + moments[:-1]) / 2
    held = during(first, end, inputs - rate * first) + during(first, end, rate) * middle
    blocks = (held / block_size + during(first, end, ones) / 2) / instances
    full = waiting >= _QUEUE
    busy = (seqs + waiting) > 0
    share = float(lasting[full].sum() / max(lasting[busy].sum(), 1e-12))
    return Occupancy(
        most_seqs=int(np.ceil(seqs.max(initial=0))),
        most_blocks=int(np.ceil(blocks.max(initial=0))),
        full_share=share,
        seqs=round(_quantile(seqs[full], lasting[full], 0.95)),
        blocks=round(_quantile(blocks[full], lasting[full], 0.95)),
        seqs_range=_range(seqs[full], lasting[full]),
        blocks_range=_range(blocks[full], lasting[full]),
    )


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """Smallest value at or below which a share of the weight lies; 0 of nothing."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, share * below[-1])])


def _range(values: Floats, weights: Floats) -> float:
    high = _quantile(values, weights, 0.95)
    return (high - _quantile(values, weights, 0.1)) / high if high > 0 else np.inf


def likely_causes(found: Occupancy, pool: Pool) -> list[str]:
    """Say, one sentence each, which limits of a pool the log contradicts.

    A simulation with a wrong limit cannot fit: with half of `max_num_seqs` its queue, and with it TTFT,
    is several times as long.
    """
    sentences = []
    if found.most_seqs > pool.max_num_seqs:
        sentences.append(
            f"the log ran {plural(found.most_seqs, 'sequence')} at once, and the cluster has "
            "max_num_seqs = "
            f"{pool.max_num_seqs:,}"
        )
    elif found.limited_by == "max_num_seqs" and found.seqs < (1 - _OFF) * pool.max_num_seqs:
        sentences.append(
            f"while requests waited, {plural(found.seqs, 'sequence')} ran, never more: "
            "max_num_seqs is likely "
            f"{found.seqs:,}, and the cluster has {pool.max_num_seqs:,}"
        )
    if found.most_blocks > (1 + 3 * _OFF) * pool.blocks:
        sentences.append(
            f"the log held {found.most_blocks:,} KV blocks of {pool.block_size} tokens at once, and the "
            f"cluster has kv_blocks = {pool.blocks:,}"
        )
    elif found.limited_by == "kv_blocks" and found.most_blocks < (1 - 3 * _OFF) * pool.blocks:
        has = f"kv_blocks = {pool.blocks:,}" if pool.limited else "no limit"
        sentences.append(
            f"while requests waited, about {found.blocks:,} KV blocks of {pool.block_size} tokens were "
            f"held, never more than {found.most_blocks:,}: kv_blocks is likely that, and the cluster "
            f"has {has}"
        )
    return sentences
