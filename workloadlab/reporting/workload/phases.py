"""Predicted costs as a figure: who is heavy in which phase, and who takes the engine's time."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import Key, Plot
from workloadlab.reporting.words import plural, seconds, share, three

__all__ = ["phase_plots"]

WEIGHTS = {"L": "light", "H": "heavy"}
OUTSIDE_SAID = 0.01


def phase_plots(phases: dict[str, Any], section: str) -> list[Plot]:
    """Return the figure of the topic `phases` of a profile; supported."""
    from workloadlab.characterization.topics.phases import (
        CHUNK_TOKENS,
        HEAVY_DECODE_S,
        HEAVY_PREFILL_S,
    )

    rows = [
        found | {"prefill": WEIGHTS[found["name"][0]], "decode": WEIGHTS[found["name"][1]]}
        for found in phases["classes"]
    ]
    most = max(rows, key=lambda row: row["engine_share"])
    said = (
        f"Requests of {most['prefill']} prefill and {most['decode']} decode are "
        f"{share(most['share'])} of all and take {share(most['engine_share'])} of the engine's time."
    )
    if phases["offered_load"] is not None:
        said += (
            f" The trace offers the work of {three(phases['offered_load'])} instances of {phases['gpu']}"
            f" (tensor parallel {phases['tp']}), without cached prefixes."
        )
    if phases["outside_domain_share"] > OUTSIDE_SAID:
        said += (
            f" {share(phases['outside_domain_share'])} of the prompts have steps outside the range "
            "that the model was fitted in."
        )
    return [
        Plot(
            id=f"{section}-phases",
            kind="classes",
            title="Heavy prefill, heavy decode",
            reading=said,
            definition=f"Times predicted by {phases['model']}: prompts alone in chunks of "
            f"{CHUNK_TOKENS:,} tokens, outputs among {phases['decode_batch']} like requests. Prefill is "
            f"heavy from {seconds(HEAVY_PREFILL_S)} on, decode from {seconds(HEAVY_DECODE_S)}.",
            n=plural(phases["requests"], "request"),
            data={"rows": rows},
            legend=(Key("share of the requests", 0), Key("share of the engine's time", 1)),
        )
    ]
