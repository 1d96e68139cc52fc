"""One column of lengths: how many requests, and how many of all tokens, are in rows that long."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from workloadlab.characterization.facts import Unsupported
from workloadlab.reporting.canvas import (
    LEAST_SHARE,
    STEPS_BELOW,
    canvas,
    log_axis,
    series,
    share_axis,
    thousands,
)
from workloadlab.reporting.facts import Key, Plot
from workloadlab.words import plural, sentence, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workloadlab.characterization import LengthColumn, Lengths
    from workloadlab.reporting.workload.place import Place

__all__ = ["LengthCurves", "plot_input", "plot_output", "token_weighted"]

Points = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class LengthCurves:
    """(tokens, share at most that long) pairs, once by requests and once by tokens."""

    kind: ClassVar = "lengths"

    requests: Points
    tokens: Points

    def draw(self) -> Figure:
        """Draw both curves over a logarithmic axis of tokens."""
        figure, axes = canvas()
        for style, points in enumerate((self.requests, self.tokens)):
            tokens, shares = np.array(points, dtype=np.float64).T
            stairs = "steps-post" if len(tokens) < STEPS_BELOW else "default"
            tokens, shares = np.append(tokens[0], tokens), np.append(0.0, shares)
            seen = tokens >= 1
            axes.plot(tokens[seen], shares[seen], drawstyle=stairs, **series(style))
        tokens, shares = np.array(self.requests, dtype=np.float64).T
        in_sight = tokens[(tokens >= 1) & (shares >= LEAST_SHARE)]
        log_axis(axes.xaxis, max(in_sight[0] / 1.5, 1), in_sight[-1] * 1.2, thousands)
        share_axis(axes)
        axes.set_xlabel("tokens")
        axes.set_ylabel("share at most as long")
        return figure


def plot_input(lengths: Lengths, place: Place) -> Plot:
    """Say how long the prompts are."""
    return _plot(lengths.input, place.id("input"), "Prompt lengths", "prompt")


def plot_output(lengths: Lengths, place: Place) -> Plot:
    """Say how long the outputs are."""
    return _plot(lengths.output, place.id("output"), "Output lengths", "output")


def token_weighted(cdf: Points) -> Points:
    """Return the share of all tokens that sit in rows at most that long.

    Between two points of the curve the rows count with the mean of the whole numbers there, so a
    curve of 200 points is within about half a percent of the exact one.

    Example:
        >>> token_weighted(((10, 0.5), (19, 1.0)))
        ((10, 0.4), (19, 1.0))
    """
    (first, at_first), *_ = cdf
    total, sums = first * at_first, [first * at_first]
    for (low, below), (high, upto) in pairwise(cdf):
        total += (upto - below) * (low + 1 + high) / 2
        sums.append(total)
    return tuple(
        (tokens, part / total if total else 1.0)
        for (tokens, _), part in zip(cdf, sums, strict=True)
    )


def _plot(column: LengthColumn | Unsupported, plot_id: str, title: str, noun: str) -> Plot:
    if isinstance(column, Unsupported):
        return Plot(id=plot_id, title=title, reading=sentence(column.unsupported))
    if not column.sum:
        return Plot(id=plot_id, title=title, reading=f"Every {noun} has 0 tokens.")
    by_tokens = token_weighted(column.cdf)
    half = next(tokens for tokens, part in by_tokens if part >= 0.5)
    said = f"Half of the {noun}s have at most {plural(round(column.p50), 'token')}"
    if column.n >= 100:
        said += (
            f"; the longest 1%, from {plural(round(column.p99), 'token')} on, carry "
            f"{share(column.top1_token_share or 0.0)} of all {noun} tokens"
        )
    return Plot(
        id=plot_id,
        title=title,
        reading=f"{said}. Half of the tokens are in {noun}s of about {half:,.0f} or longer.",
        definition="Share of requests, and of all tokens, in rows at most that long (cumulative; "
        "logarithmic axis). By tokens: summed between the points drawn.",
        n=plural(column.n, "request")
        + (f"; {column.missing:,} without a value" if column.missing else ""),
        drawing=LengthCurves(requests=column.cdf, tokens=by_tokens),
        legend=(Key("by requests", 0), Key("by tokens", 1)),
    )
