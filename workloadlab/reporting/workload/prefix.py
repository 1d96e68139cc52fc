"""Prefix reuse as figures: by the size of the cache, by the number of instances, by time."""

from __future__ import annotations

from typing import Any

from workloadlab.reporting.facts import REFERENCE, Key, Plot
from workloadlab.reporting.words import listed, plural, seconds, sentence, share, three

__all__ = ["prefix_plots"]

NEARLY_ALL = 0.9
INSTANCES_SAID = 8
ROUTERS = {
    "random": "random",
    "round_robin": "round robin",
    "session_affinity": "session affinity",
    "prefix_aware": "prefix-aware",
}


def prefix_plots(prefix: dict[str, Any], section: str, model: str | None) -> list[Plot]:
    """Return the figures of the topic `prefix`.

    Args:
        prefix: of a profile; supported.
        section: id of the section.
        model: what the cache sizes in GiB are for; None where there is no model.
    """
    return [
        _cache(prefix, f"{section}-cache", model),
        _instances(prefix, f"{section}-instances"),
        _reuse(prefix["reuse_time_s"], f"{section}-reuse"),
    ]


def _cache(prefix: dict[str, Any], plot_id: str, model: str | None) -> Plot:
    title = "Hit ratio by cache size"
    unit = "block" if prefix["ceiling"]["token_hit_ratio"] is None else "token"
    key, ceiling = f"{unit}_hit_ratio", prefix["ceiling"][f"{unit}_hit_ratio"]
    if not ceiling:
        return Plot(id=plot_id, kind="absent", title=title, reading="No cached block is ever hit.")
    lru, opt = (sorted(prefix[name], key=lambda size: size["blocks"]) for name in ("lru", "opt"))
    gib = lru[-1]["gib"]
    return Plot(
        id=plot_id,
        kind="cache",
        title=title,
        reading=_cache_reading(lru, opt, key, ceiling),
        definition=f"Share of the prompt {unit}s found in one cache that all requests share and "
        "that starts empty, blocks looked up and kept in the order of the prompts. LRU exact for "
        "every size; Belady's optimum knows the future; the ceiling never evicts. Cache size on a "
        "logarithmic axis" + (f"; GiB for {model or 'the model'}." if gib is not None else "."),
        n=f"{plural(prefix['requests'], 'request')}, {plural(prefix['blocks'], 'block')} of "
        f"{prefix['block_size']:,} tokens, {prefix['unique_blocks']:,} distinct",
        data={
            "ceiling": ceiling,
            "gib_per_token": None if gib is None else gib / lru[-1]["tokens"],
            "curves": [
                {"style": style, "points": [[size["tokens"], size[key]] for size in sizes]}
                for style, sizes in enumerate((lru, opt))
            ],
        },
        legend=(Key("LRU", 0), Key("Belady's optimum", 1), Key("unlimited cache", REFERENCE)),
    )


def _cache_reading(
    lru: list[dict[str, Any]], opt: list[dict[str, Any]], key: str, ceiling: float
) -> str:
    unit = key.partition("_")[0]
    said = f"An unlimited cache would serve {share(ceiling)} of the prompt {unit}s"
    if ceiling < 1:
        said += f", leaving one in {three(1 / (1 - ceiling))} to compute"
    enough = next((size for size in lru if size[key] >= NEARLY_ALL * ceiling), None)
    if enough:
        said += f"; of the sizes tried LRU comes to nine tenths of that with {_size(enough)}."
    else:
        said += (
            f"; LRU comes to {share(lru[-1][key])} with {_size(lru[-1])}, the largest size tried."
        )
    best = {size["blocks"]: size[key] for size in opt}
    gains = [(best.get(size["blocks"], 0.0) - size[key], size) for size in lru]
    gain, at = max(gains, key=lambda pair: pair[0])
    if gain > 0.005:
        said += (
            f" The best possible eviction would add at most {three(gain * 100)} percentage points, "
            f"with {_size(at)}."
        )
    else:
        said += " Not even the best possible eviction would add half a percentage point."
    return said


def _size(size: dict[str, Any]) -> str:
    gib = "" if size["gib"] is None else f" ({three(size['gib'])} GiB)"
    return f"{size['tokens']:,} tokens{gib}"


def _instances(prefix: dict[str, Any], plot_id: str) -> Plot:
    title, points = "Hit ratio by number of instances", prefix["by_instances"]
    routers = list(dict.fromkeys(point["router"] for point in points))
    counts = sorted({point["instances"] for point in points})
    said_of = max(n for n in counts if n <= INSTANCES_SAID)
    at = sorted(
        (point for point in points if point["instances"] == said_of),
        key=lambda point: -point["block_hit_ratio"],
    )
    best, single = at[0], prefix["ceiling"]["block_hit_ratio"]
    if not single:
        return Plot(id=plot_id, kind="absent", title=title, reading="No cached block is ever hit.")
    kept = listed([f"{ROUTERS[p['router']]} {share(p['block_hit_ratio'])}" for p in at])
    return Plot(
        id=plot_id,
        kind="instances",
        title=title,
        reading=f"One instance would hit {share(single)} of the blocks; of {said_of} without a shared "
        f"cache, by routing: {kept}. With {ROUTERS[best['router']]} the busiest instance prefills "
        f"{three(best['imbalance'])} times the mean.",
        definition="Share of the blocks that the chosen instance has seen before, each instance "
        "keeping all it ever saw; from the order of the requests alone, without timings. "
        + (
            "Session affinity: a session stays where chance put it. "
            if "session_affinity" in routers
            else ""
        )
        + "Prefix-aware: the longest prefix among the "
        "instances that have prefilled at most 1.25 times the mean.",
        n=f"{plural(prefix['requests'], 'request')}, {plural(prefix['blocks'], 'block')}",
        data={
            "instances": counts,
            "ceiling": single,
            "curves": [
                {
                    "style": style,
                    "points": [
                        [point["instances"], point["block_hit_ratio"]]
                        for point in points
                        if point["router"] == router
                    ],
                }
                for style, router in enumerate(routers)
            ],
        },
        legend=tuple(Key(ROUTERS[router], style) for style, router in enumerate(routers)),
    )


def _reuse(reuse: dict[str, Any], plot_id: str) -> Plot:
    title = "Time until a block is used again"
    if "unsupported" in reuse:
        return Plot(id=plot_id, kind="absent", title=title, reading=sentence(reuse["unsupported"]))
    if not reuse["max"]:
        return Plot(id=plot_id, kind="absent", title=title,
                    reading="Every reuse is at the moment of the use before it.")  # fmt: skip
    soon, later = reuse["within_60_s"], reuse["within_600_s"]
    half = f"come within {seconds(reuse['p50'])}" if reuse["p50"] else "take no time at all"
    said = (
        f"Half of the reuses {half}, nine tenths within {seconds(reuse['p90'])}. Blocks kept for 60 s "
        f"after their last use would give {share(soon)} of all hits"
    )
    if later > soon:
        said += f", for 10 minutes {share(later)}"
    return Plot(
        id=plot_id,
        kind="reuse",
        title=title,
        reading=f"{said}.",
        definition="Share of the uses of a block, first ones left out, that come within that time "
        "of its last use (cumulative; logarithmic axis, on which a time of 0 cannot be drawn).",
        n=plural(reuse["n"], "reuse"),
        data={"points": reuse["cdf"]},
    )
