"""Prompt and output lengths as figures."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from workloadlab.reporting.facts import Key, Plot
from workloadlab.reporting.words import plural, sentence, share, three

__all__ = ["length_plots", "token_weighted"]

COLUMNS = (("input", "Prompt lengths", "prompt"), ("output", "Output lengths", "output"))
STRENGTHS = ((0.1, "next to nothing"), (0.3, "little"), (0.6, "something"), (1.01, "much"))


def length_plots(lengths: dict[str, Any], section: str) -> list[Plot]:
    """Return the figures of the topic `lengths`; those that cannot be say why."""
    if "unsupported" in lengths:
        return [
            Plot(id=f"{section}-lengths", kind="absent", title="Lengths",
                 reading=sentence(lengths["unsupported"]))
        ]  # fmt: skip
    plots = [_cdf(lengths[key], f"{section}-{key}", title, noun) for key, title, noun in COLUMNS]
    return [*plots, _joint(lengths["joint"], f"{section}-joint")]


def token_weighted(cdf: list[list[float]]) -> list[list[float]]:
    """Return the share of all tokens that sit in rows at most that long.

    Between two points of the curve the rows count with the mean of the whole numbers there, so a
    curve of 200 points is within about half a percent of the exact one.

    Example:
        >>> token_weighted([[10, 0.5], [19, 1.0]])
        [[10, 0.4], [19, 1.0]]
    """
    (first, at_first), *_ = cdf
    total, sums = first * at_first, [first * at_first]
    for (low, below), (high, upto) in pairwise(cdf):
        total += (upto - below) * (low + 1 + high) / 2
        sums.append(total)
    return [
        [tokens, part / total if total else 1.0]
        for (tokens, _), part in zip(cdf, sums, strict=True)
    ]


def _cdf(column: dict[str, Any], plot_id: str, title: str, noun: str) -> Plot:
    if "unsupported" in column:
        return Plot(id=plot_id, kind="absent", title=title, reading=sentence(column["unsupported"]))
    if not column["sum"]:
        return Plot(id=plot_id, kind="absent", title=title, reading=f"Every {noun} has 0 tokens.")
    by_tokens = token_weighted(column["cdf"])
    half = next(tokens for tokens, part in by_tokens if part >= 0.5)
    said = f"Half of the {noun}s have at most {column['p50']:,.0f} tokens"
    if column["n"] >= 100:
        said += (
            f"; the longest 1%, from {column['p99']:,.0f} tokens on, carry "
            f"{share(column['top1_token_share'])} of all {noun} tokens"
        )
    return Plot(
        id=plot_id,
        kind="lengths",
        title=title,
        reading=f"{said}. Half of the tokens are in {noun}s of about {half:,.0f} or longer.",
        definition="Share of requests, and of all tokens, in rows at most that long (cumulative; "
        "logarithmic axis). By tokens: summed between the points drawn.",
        n=plural(column["n"], "request")
        + (f"; {column['missing']:,} without a value" if column["missing"] else ""),
        data={"requests": column["cdf"], "tokens": by_tokens},
        legend=(Key("by requests", 0), Key("by tokens", 1)),
    )


def _joint(joint: dict[str, Any], plot_id: str) -> Plot:
    title = "Prompt against output"
    if "unsupported" in joint:
        return Plot(id=plot_id, kind="absent", title=title, reading=sentence(joint["unsupported"]))
    rank, ratio = joint["spearman"], joint["input_output_ratio"]
    if rank is None:
        said = "One of the two lengths does not vary, so neither tells anything of the other."
    else:
        strength = next(word for most, word in STRENGTHS if abs(rank) < most)
        inverse = ", and inversely" if rank <= -0.1 else ""
        said = (
            f"A prompt's length says {strength} about its output's{inverse} (Spearman {rank:.2f})."
        )
    if ratio is not None:
        said += f" The prompts hold {three(ratio)} tokens for each one generated."
    bands = joint["output_by_input"]
    if len(bands) > 1:
        said += (
            f" The median output goes from {bands[0]['p50']:,.0f} tokens for the shortest prompts to "
            f"{bands[-1]['p50']:,.0f} for the longest."
        )
    return Plot(
        id=plot_id,
        kind="density",
        title=title,
        reading=said,
        definition="Requests per cell of half an octave each way, the fuller the stronger the "
        "colour. Bars: output quantiles 10%, 50% (dot) and 90% of each tenth of the prompts by "
        "length. Spearman: correlation of ranks, ties averaged.",
        n=plural(joint["rows"], "request"),
        data={**joint["density"], "bands": bands},
    )
