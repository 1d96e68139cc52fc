"""Who sends the load, as a figure: the share of the largest tenants."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.reporting.words import plural, share

__all__ = ["tenant_plots"]

NOUNS = {
    "tenant_id": "tenant",
    "client_id": "client",
    "model": "model",
    "task": "task",
    "slo_class": "service class",
}


def tenant_plots(tenants: dict[str, Any], section: str) -> list[Plot]:
    """Return the figure of the topic `tenants` of a profile; supported."""
    parties, noun = tenants["parties"][tenants["by"]], NOUNS[tenants["by"]]
    nouns = "service classes" if noun == "service class" else f"{noun}s"
    title, plot_id, count = f"Share of the largest {nouns}", f"{section}-tenants", tenants["count"]
    if count == 1:
        return [
            Plot(id=plot_id, kind="absent", title=title,
                 reading=f"Every request names the same {noun}.")
        ]  # fmt: skip
    held = {"requests": parties["requests"]}
    if parties["tokens"]:
        held["tokens"] = parties["tokens"]
    most = f"{tenants['k90']:,} hold" if tenants["k90"] > 1 else "it alone holds"
    said = (
        f"The largest of {count:,} {nouns} sends {share(tenants['top1'])} of the requests; {most} "
        "90% of them"
    )
    said += f" (Gini {tenants['gini']:.2f})." if tenants["gini"] is not None else "."
    if parties["bursty_share"] is not None:
        said += (
            f" {share(parties['bursty_share'])} of the requests that can be told are of {nouns} "
            "with gaps burstier than exponential ones."
        )
    return [
        Plot(
            id=plot_id,
            kind="shares",
            title=title,
            reading=said,
            definition=f"Share of all requests, and of all tokens, that the k largest {nouns} have, "
            "ordered by each of the two (Lorenz curve from its upper end).",
            n=f"{count:,} {nouns}"
            + (f"; {plural(parties['missing'], 'request')} without one" if parties["missing"] else ""),
            data={"count": count, "nouns": nouns,
                  "curves": [{"style": style, "points": shares["curve"]}
                             for style, shares in enumerate(held.values())]},
            legend=(*(Key(f"by {name}", style) for style, name in enumerate(held)),
                    Key("all equal", REFERENCE)),
        )
    ]  # fmt: skip
