"""The errors of a latency model as figures: measured against predicted, and by region."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloadlab.latency.card import POINT
from workloadlab.latency.domain import KINDS, kind_of
from workloadlab.reporting.facts import Plot
from workloadlab.reporting.words import plural, seconds, share

__all__ = ["error_plots", "region_name"]

BAND = 0.1
"""Predictions within this share of the measured time lie in the band."""

SHORT = {
    "kind": "{} steps",
    "decode_seqs": "{} decodes",
    "decode_context_tokens": "KV {}",
    "total_tokens": "{} tokens",
}
"""Names of regions that fit beside a figure."""


def error_plots(card: dict[str, Any] | None, section: str) -> list[Plot]:
    """Return the figures of an error card as JSON; those that cannot be say why."""
    if card is None:
        return [_no_points(section, "the model was made by hand, so no step was measured")]
    return [_predicted(card, section), _regions(card, section)]


def region_name(part: dict[str, Any]) -> str:
    """Name one slice of a card.

    Example:
        >>> region_name({"by": "decode_seqs", "slice": "17 to 64"})
        'decode seqs 17 to 64'
    """
    return f"{part['by'].replace('_', ' ')} {part['slice']}".strip()


def _no_points(section: str, why: str) -> Plot:
    return Plot(
        id=f"{section}-predicted",
        kind="absent",
        title="Measured against predicted",
        reading=f"Not drawn: {why}.",
    )


def _predicted(card: dict[str, Any], section: str) -> Plot:
    if card["slices"][0]["by"] == "requests":
        return _no_points(section, "the model was judged on requests, so no step was measured")
    if not card.get("points"):
        return _no_points(section, "the model's file keeps no measured steps; fit it again")
    points = np.array(card["points"], dtype=np.float64).reshape(-1, len(POINT))
    measured, predicted = points[:, 4], points[:, 5]
    ratio = predicted / measured - 1
    within, worst = np.abs(ratio) <= BAND, int(np.abs(ratio).argmax())
    side = "long" if ratio[worst] > 0 else "short"
    steps = plural(len(points), "step")
    count = f"All {steps}" if within.all() else f"{within.sum():,} of the {steps}"
    kinds = kind_of(points[:, :4])
    return Plot(
        id=f"{section}-predicted",
        kind="predicted",
        title="Measured against predicted",
        reading=f"{count} drawn are predicted within {BAND:.0%}. The worst took "
        f"{seconds(measured[worst])} and is predicted {share(abs(ratio[worst]))} too {side}.",
        definition="Some of the judged steps, evenly spaced by duration within each kind. Dashed "
        f"line: predicted as measured; band: within {BAND:.0%}; logarithmic axes. Judged on "
        f"{card['split']}.",
        n=f"{len(points):,} of {plural(card['judged_rows'], 'judged step')}",
        data={
            "band": BAND,
            "series": [
                {"label": kind, "style": style,
                 "points": points[kinds == style][:, 4:].tolist()}
                for style, kind in enumerate(KINDS) if (kinds == style).any()
            ],
        },
    )  # fmt: skip


def _regions(card: dict[str, Any], section: str) -> Plot:
    parts = card["slices"]
    worst = max(parts, key=lambda part: part["mape"])
    reading = f"The mean error is {share(parts[0]['mape'])}"
    if worst is not parts[0]:
        reading += f" over all and largest, {share(worst['mape'])}, for {region_name(worst)}"
    return Plot(
        id=f"{section}-regions",
        kind="regions",
        title="Error by region",
        reading=f"{reading}.",
        definition="Dot: mean absolute relative error; line: up to the error that 95% of the steps "
        "stay under; hollow: bias, the mean error with its sign, right of 0 if predicted too long. "
        "KV: tokens of context of all decodes.",
        n=plural(card["judged_rows"], "judged row"),
        data={
            "rows": [
                {"region": SHORT.get(part["by"], region_name(part)).format(part["slice"]),
                 **{key: part[key] for key in ("rows", "mape", "bias", "p95")}}
                for part in parts
            ]
        },
    )  # fmt: skip
