"""Hit ratio by the size of one cache that all requests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.canvas import (
    canvas,
    log_axis,
    reference_line,
    series,
    share_axis,
    short,
)
from workloadlab.reporting.facts import REFERENCE, Curve, Key, Plot
from workloadlab.words import plural, share, three

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import Prefix
    from workloadlab.characterization.statistics.caches import CachePoint
    from workloadlab.reporting.workload.place import Place

__all__ = ["CacheSizes", "plot_cache"]

NEARLY_ALL = 0.9
FEW_POINTS = 30
"""A curve of fewer points has them marked."""


@dataclass(frozen=True)
class CacheSizes:
    """(cache in tokens, hit ratio) curves.

    Attributes:
        ceiling: hit ratio without a limit.
        gib_per_token: scale of a second axis; None for a cache of unknown bytes.
    """

    kind: ClassVar = "cache"

    ceiling: float
    gib_per_token: float | None
    curves: tuple[Curve, ...]

    def draw(self) -> Figure:
        """Draw the curves below the ceiling, tokens below and GiB above."""
        figure, axes = canvas()
        curves = [np.array(curve.points) for curve in self.curves]
        low, high = min(points[0, 0] for points in curves), max(points[-1, 0] for points in curves)
        reference_line(axes, self.ceiling)
        for curve, points in zip(self.curves, curves, strict=True):
            marker = "o" if len(points) < FEW_POINTS else None
            axes.plot(*points.T, marker=marker, markersize=3.5, **series(curve.style))
        log_axis(axes.xaxis, low, high, short)
        share_axis(axes, self.ceiling)
        axes.set_xlabel("cache, tokens")
        axes.set_ylabel("hit ratio")
        scale = self.gib_per_token
        if scale is not None:
            above = axes.twiny()
            above.grid(visible=False)
            left, right = axes.get_xlim()
            log_axis(above.xaxis, left * scale, right * scale, lambda gib: f"{gib:,.10g}")
            above.set_xlabel("cache, GiB")
        return figure


@dataclass(frozen=True)
class _Size:
    """A cache and its hit ratio, by tokens where they are recorded."""

    blocks: int
    tokens: int
    gib: float | None
    ratio: float

    def __str__(self) -> str:
        gib = "" if self.gib is None else f" ({three(self.gib)} GiB)"
        return f"{self.tokens:,} tokens{gib}"


def plot_cache(prefix: Prefix, place: Place) -> Plot:
    """Say how much a cache saves, and from which size on it hardly saves more."""
    title, plot_id = "Hit ratio by cache size", place.id("cache")
    by_tokens = prefix.ceiling.token_hit_ratio
    unit = "block" if by_tokens is None else "token"
    ceiling = prefix.ceiling.block_hit_ratio if by_tokens is None else by_tokens
    if not ceiling:
        return Plot(id=plot_id, title=title, reading="No cached block is ever hit.")
    lru, opt = _sizes(prefix.lru, unit), _sizes(prefix.opt, unit)
    largest = lru[-1]
    return Plot(
        id=plot_id,
        title=title,
        reading=_reading(lru, opt, unit, ceiling),
        definition=f"Share of the prompt {unit}s found in one cache that all requests share and "
        "that starts empty, blocks looked up and kept in the order of the prompts. "
        "Belady's optimum knows the future; the ceiling never evicts. Cache size on a "
        "logarithmic axis" + ("." if largest.gib is None else f"; GiB for {_served(place)}."),
        n=f"{plural(prefix.requests, 'request')}, {plural(prefix.blocks, 'block')} of "
        f"{prefix.block_size:,} tokens, {prefix.unique_blocks:,} distinct",
        drawing=CacheSizes(
            ceiling=ceiling,
            gib_per_token=None if largest.gib is None else largest.gib / largest.tokens,
            curves=tuple(
                Curve(style, tuple((size.tokens, size.ratio) for size in sizes))
                for style, sizes in enumerate((lru, opt))
            ),
        ),
        legend=(Key("LRU", 0), Key("Belady's optimum", 1), Key("unlimited cache", REFERENCE)),
    )


def _sizes(points: tuple[CachePoint, ...], unit: str) -> list[_Size]:
    sizes = []
    for point in sorted(points, key=lambda point: point.blocks):
        ratio = point.block_hit_ratio if unit == "block" else point.token_hit_ratio
        sizes.append(_Size(point.blocks, point.tokens, point.gib, ratio or 0.0))
    return sizes


def _served(place: Place) -> str:
    phases = place.profile.phases
    return "the model" if isinstance(phases, Unsupported) else phases.model


def _reading(lru: list[_Size], opt: list[_Size], unit: str, ceiling: float) -> str:
    said = f"An unlimited cache would serve {share(ceiling)} of the prompt {unit}s"
    if ceiling < 1:
        said += f", leaving one in {three(1 / (1 - ceiling))} to compute"
    enough = next((size for size in lru if size.ratio >= NEARLY_ALL * ceiling), None)
    if enough:
        said += f"; of the sizes tried LRU comes to nine tenths of that with {enough}."
    else:
        said += f"; LRU comes to {share(lru[-1].ratio)} with {lru[-1]}, the largest size tried."
    best = {size.blocks: size.ratio for size in opt}
    gains = [(best.get(size.blocks, 0.0) - size.ratio, size) for size in lru]
    gain, at = max(gains, key=lambda pair: pair[0])
    if gain > 0.005:
        return (
            f"{said} The best possible eviction would add at most {three(gain * 100)} percentage "
            f"points, with {at}."
        )
    return f"{said} Not even the best possible eviction would add half a percentage point."
