"""Headline statistics of a profile against DuckDB's SQL over the same trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import workloadlab as wl

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["against_sql", "wrong"]

SKETCH = 2.0**-9
"""Relative error of percentiles of latencies, as a profile states it."""


def against_sql(trace: wl.Trace, profile: wl.Profile) -> dict[str, tuple[Any, Any, float]]:
    """Return each headline by name: what SQL finds, what the profile says, and how far it may be off.

    0 means that the two are equal; floats that are sums in another order may be off by 1e-9.
    """
    found: dict[str, tuple[Any, Any, float]] = {}
    for part in (_lengths, _arrivals, _parties, _latencies):
        found |= {name: told for name, *told in part(trace, profile)}
    return found


def _lengths(trace: wl.Trace, profile: wl.Profile) -> Iterator[tuple[Any, ...]]:
    for row in wl.query("length_quantiles", trace).iter_rows(named=True):
        column = getattr(profile.lengths, row["column"].removesuffix("_tokens"))
        for name in ("n", "sum", "mean", "p50", "p90", "p95", "p99", "max"):
            yield f"{row['column']} {name}", row[name], getattr(column, name), 0.0


def _arrivals(trace: wl.Trace, profile: wl.Profile) -> Iterator[tuple[Any, ...]]:
    arrivals = profile.arrivals
    for row in wl.query("dispersion", trace).iter_rows(named=True):
        width = f"{row['window_s']:g}"
        yield f"dispersion {width} s", row["dispersion"], arrivals.dispersion[width], 1e-12
    minutes = wl.query("rate_by_minute", trace)["requests"]
    yield "minutes", len(minutes), arrivals.per_minute.bins, 0.0
    yield "busiest minute", minutes.max(), arrivals.per_minute.max, 0.0
    yield "quietest minute", minutes.min(), arrivals.per_minute.min, 0.0
    gaps = wl.query(
        "SELECT avg(gap) AS mean, stddev_samp(gap) AS sd, max(gap) AS max, "
        "quantile_cont(gap, 0.5) AS p50, quantile_cont(gap, 0.99) AS p99 FROM "
        "(SELECT arrival_ns - lag(arrival_ns) OVER (ORDER BY arrival_ns) AS gap FROM trace) "
        "WHERE gap IS NOT NULL",
        trace,
    ).row(0, named=True)
    for name, allowed in (
        ("mean", 1e-9),
        ("sd", 1e-9),
        ("max", 0.0),
        ("p50", 2**-10),
        ("p99", 2**-10),
    ):
        yield f"gap {name}", gaps[name] / 1e9, getattr(arrivals.iat_s, name), allowed


def _parties(trace: wl.Trace, profile: wl.Profile) -> Iterator[tuple[Any, ...]]:
    for column, parties in profile.tenants.parties.items():
        rows = wl.query(
            f"SELECT {column} AS name, count(*) AS requests, "
            "sum(input_tokens + coalesce(output_tokens, 0)) AS tokens FROM trace "
            f"WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1",
            trace,
        )
        yield f"{column} count", len(rows), parties.requests.count, 0.0
        for row, party in zip(rows.head(20).iter_rows(named=True), parties.largest, strict=False):
            told = (party.name, party.requests, party.tokens)
            yield (
                f"{column} {row['name']}",
                (row["name"], row["requests"], int(row["tokens"])),
                told,
                0.0,
            )


def _latencies(trace: wl.Trace, profile: wl.Profile) -> Iterator[tuple[Any, ...]]:
    rows = wl.query("latency_by_instance", trace).to_dicts()
    by_name = {row["instance_id"]: row for row in rows}
    for group in profile.service_levels.by_instance:
        row = by_name[group.name]
        yield f"{group.name} requests", row["requests"], group.requests, 0.0
        for latency in ("ttft", "tpot", "e2e"):
            told = getattr(group, f"{latency}_s")
            for name in ("mean", "p50", "p99"):
                exact = name == "mean" and latency != "tpot"
                allowed = 1e-9 if exact else SKETCH
                yield (
                    f"{group.name} {latency} {name}",
                    row[f"{latency}_{name}_s"],
                    told[name],
                    allowed,
                )
    for row in wl.query("slo_by_hour", trace, ttft_s=1.0, tpot_s=0.05).sum().iter_rows(named=True):
        levels = profile.service_levels.attainment
        place = levels.ttft_targets_s.index(1.0), levels.tpot_targets_s.index(0.05)
        share = levels.share[place[0]][place[1]]
        yield "attainment", row["met"], round(share * profile.trace.requests), 0.0


def wrong(told: dict[str, tuple[Any, Any, float]]) -> dict[str, tuple[Any, Any]]:
    """Return the headlines that are further off than they may be."""
    return {
        name: (sql, ours)
        for name, (sql, ours, allowed) in told.items()
        if sql != ours and not (allowed and abs(sql - ours) <= allowed * abs(sql))
    }
