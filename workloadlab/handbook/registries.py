"""The registries as frames: routers, signals, formats, models, queries, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from workloadlab.oracles import Oracle
    from workloadlab.routing import Router

__all__ = ["formats", "metrics", "models", "queries", "routers", "signals"]


def routers() -> pl.DataFrame:
    """Return the routers and oracles that ship: name, family, what they need, formula and source.

    Example:
        >>> import workloadlab as wl
        >>> wl.routers().filter(pl.col("name") == "least_requests")["family"].to_list()
        ['join the shortest queue']
    """
    from workloadlab.oracles.registry import ORACLES
    from workloadlab.routing import SHELF

    policies: list[Router | Oracle] = [*SHELF.values(), *(make() for make in ORACLES.values())]
    return pl.DataFrame(
        [
            {
                "name": each.name,
                "family": each.family,
                "needs": ", ".join(sorted(each.needs)),
                "formula": each.formula,
                "source": each.source,
            }
            for each in policies
        ]
    )


def signals() -> pl.DataFrame:
    """Return what a router may read: `request.*` and `instance.*` with kind, unit and meaning.

    Example:
        >>> import workloadlab as wl
        >>> wl.signals().filter(pl.col("name") == "running")["record"].to_list()
        ['instance']
    """
    from workloadlab.routing import signals_table

    return pl.DataFrame(signals_table())


def formats() -> pl.DataFrame:
    """Return the log formats that `ingest` reads: name, title, and the files it occurs in.

    Example:
        >>> import workloadlab as wl
        >>> wl.formats().filter(pl.col("name") == "azure")["files"].to_list()
        ['csv']
    """
    from workloadlab.ingestion import FORMATS

    return pl.DataFrame(
        [{"name": f.name, "title": f.title, "files": ", ".join(f.containers)} for f in FORMATS]
    )


def models() -> pl.DataFrame:
    """Return the latency models that ship, with their mean held-out error as a share.

    Example:
        >>> import workloadlab as wl
        >>> "rtxpro6000-llama-3.1-8b" in wl.models()["name"]
        True
    """
    from workloadlab.latency import LatencyModel

    loaded = [LatencyModel.load(name) for name in LatencyModel.catalog()]
    return pl.DataFrame(
        [
            {
                "name": each.name,
                "model": each.model,
                "gpu": each.gpu,
                "tp": each.tp,
                "dtype": each.dtype,
                "held_out_error": each.card.overall.mape if each.card else None,
            }
            for each in loaded
        ]
    )


def queries() -> pl.DataFrame:
    """Return the SQL queries that ship: name, question, topic and parameters with their defaults.

    Example:
        >>> import workloadlab as wl
        >>> wl.queries().filter(pl.col("name") == "rate_by_minute")["parameters"].to_list()
        ['bin_s = 60.0']
    """
    from workloadlab.sql import queries as shipped

    return pl.DataFrame(
        [
            {
                "name": each.name,
                "title": each.title,
                "question": each.question,
                "topic": each.topic,
                "parameters": ", ".join(f"{p.name} = {p.default}" for p in each.parameters),
            }
            for each in shipped()
        ]
    )


def metrics() -> pl.DataFrame:
    """Return what a scoreboard holds: name, unit, which direction is better, and meaning.

    Example:
        >>> import workloadlab as wl
        >>> wl.metrics().filter(pl.col("name") == "goodput_rps")["better"].to_list()
        ['higher']
    """
    from workloadlab.scoring import METRICS

    return pl.DataFrame(
        [
            {"name": m.name, "unit": m.unit, "better": m.better or "", "about": m.about}
            for m in METRICS
        ]
    )
