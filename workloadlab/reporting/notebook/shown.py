"""What is shown of each kind of object: a section of the report, cut to one screen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UnsupportedError
from workloadlab.reporting.facts import Cell, Grid, Section
from workloadlab.words import plural

if TYPE_CHECKING:
    from workloadlab.reporting.facts import Plot
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

__all__ = ["section_of"]

HEAD_ROWS = 4


def section_of(thing: Any) -> Section:
    """Return what a cell shows of an object: a trace, profile, model, board, runs, plan, ..."""
    from workloadlab.reporting.summary import summary_of
    from workloadlab.routing import Router
    from workloadlab.simulation import Cluster
    from workloadlab.trace import Trace

    if isinstance(thing, Trace):
        return _trace(thing)
    if isinstance(thing, Cluster):
        return _cluster(thing)
    if isinstance(thing, Router):
        return _router(thing)
    (section,) = summary_of(thing).sections
    return section


def _trace(trace: Trace) -> Section:
    rate = f", {trace.requests / trace.span_s:.4g} per second" if trace.span_s else ""
    count = len(trace.notes)
    notes = f" {plural(count, 'note')} on how it was read: see .notes." if count else ""
    head = trace.head(HEAD_ROWS).drop("row_id", "source_format", strict=False)
    return Section(
        id="trace",
        title=f"Trace {trace.path.name}" if trace.path else "Trace",
        summary=f"{plural(trace.requests, 'request')} over {trace.span_s:,.1f} s{rate}. "
        f"Good for {', '.join(trace.capabilities()) or 'nothing yet'}.{notes}",
        plots=tuple(_trace_plots(trace)),
        details=(
            _grid(
                f"First {head.height} of {plural(trace.requests, 'row')}", head.columns, head.rows()
            ),
        ),
    )


def _trace_plots(trace: Trace) -> list[Plot]:
    """Return when requests come and how long they are, where the trace can tell."""
    from workloadlab.characterization import Study
    from workloadlab.characterization.topics.arrivals import ARRIVALS
    from workloadlab.characterization.topics.lengths import LENGTHS
    from workloadlab.reporting.notebook.plots import plots_of

    study, found = Study(trace), []
    for topic in (ARRIVALS, LENGTHS):
        try:
            found += plots_of(study, topic)[:1]
        except UnsupportedError:
            continue
    return found


def _cluster(cluster: Cluster) -> Section:
    from workloadlab.reporting.latency_model.steps import plot_decode

    keys = ("name", "instances", "latency", "engine", "kv_blocks", "max_num_seqs",
            "max_num_batched_tokens", "prefix_caching", "async_scheduling")  # fmt: skip
    pools = [pool.to_dict() for pool in cluster.pools]
    rows = [[str(pool.get(key, "")) for pool in pools] for key in keys]
    router = [(k, f"{v}") for k, v in cluster.to_dict().items() if not isinstance(v, list) and v]
    first = cluster.pools[0].latency
    return Section(
        id="cluster",
        title="Cluster",
        summary=plural(len(cluster.instance_names), "instance")
        + (f" in {len(pools)} pools" if len(pools) > 1 else "")
        + (f", {plural(len(cluster.events), 'event')}" if cluster.events else "")
        + ".",
        facts=tuple((key.replace("_", " "), value) for key, value in router),
        grids=(
            Grid(
                caption="Pools",
                header=("", *(str(number + 1) for number in range(len(pools)))),
                rows=tuple(
                    (Cell(key.replace("_", " ")), *map(Cell, row))
                    for key, row in zip(keys, rows, strict=True)
                ),
            ),
        ),
        plots=(plot_decode(first, "cluster"),),
    )


def _router(router: Router) -> Section:
    params = ", ".join(
        f"{name} = {value:g}"
        for name, value in zip(router.param_names, router.settings, strict=False)
    )
    pairs = [
        ("Family", router.family),
        ("Decides by", {"score": "lowest score", "choose": "choice"}.get(router.kind, router.kind)),
        ("Needs", ", ".join(sorted(router.needs)) or "nothing beyond the signals"),
        ("Parameters", params),
        ("Source", router.source),
    ]
    return Section(
        id="router",
        title=f"Router {router.name}",
        summary=router.formula or (router.function.__doc__ or "").split("\n")[0],
        facts=tuple((label, value) for label, value in pairs if value),
    )


def _grid(caption: str, header: list[str], rows: list[Any]) -> Grid:
    cells = tuple(tuple(Cell(_short(value)) for value in row) for row in rows)
    return replace(Grid(caption=caption, header=tuple(header), rows=cells), names=1)


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:21]}..."
