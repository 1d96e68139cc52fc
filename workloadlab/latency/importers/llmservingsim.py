"""Step samples from the published profile tables of LLMServingSim; see `operator_tables`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.links import GivenLink
from workloadlab.latency.importers.beyond_kernels import terms_beyond_kernels
from workloadlab.latency.importers.composition import step_frame, steps_to_compose
from workloadlab.latency.importers.operator_tables import AXES, SHAPE, OperatorTables, table_file
from workloadlab.latency.importers.selection import licence_of
from workloadlab.latency.importers.source import Facts, Source

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SOURCE", "is_llmservingsim", "read_llmservingsim"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


def is_llmservingsim(path: str | Path) -> bool:
    """Say whether `path` is a folder with such tables in it or below it."""
    return Path(path).is_dir() and bool(_table_folders(Path(path)))


def read_llmservingsim(
    path: str | Path,
    *,
    expert_parallel: int = 1,
    link_latency_s: float | None = None,
    link_bytes_s: float | None = None,
) -> tuple[pl.DataFrame, Facts]:
    """Compose a step table from the tables in a folder, or in the only such folder below it.

    The rows are what engines visit rather than the profiler's grid: decode batches of 1 to 256
    sequences; prefills of 1 to 2048 tokens with up to 16384 cached; and mixed steps of 2 to 2048
    tokens, 1 to 128 of them decodes. `group` is the pair (prefill tokens, decode sequences).

    Args:
        path: the folder.
        expert_parallel: data-parallel ranks that share the experts; the steps are those of one rank
            beside others as full, so the pool that steps together waits for the fullest.
        link_latency_s: seconds of a collective between the GPUs, whatever it sends; by default that of
            `workloadlab.latency.hardware.links`.
        link_bytes_s: bytes per second of its traffic; the same.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no tables there, tables of several configurations, an unknown model, or experts
            that so many ranks cannot share.
        DataError: a table lacks a column, a value, a profiled shape or an operator.
    """
    link = GivenLink(link_latency_s, link_bytes_s)
    folder = _only_table_folder(Path(path))
    tables = OperatorTables.read(folder, ranks=expert_parallel, link=link)
    steps = _steps_to_compose(tables)
    frame = step_frame(
        steps,
        tables.step_ns(steps),
        gpu=tables.facts["hardware"],
        model=tables.geometry.model,
        tp=tables.tp,
    )
    return frame, _model_facts(tables)


def _table_folders(path: Path) -> list[Path]:
    found = {
        file.parent for file in path.rglob("attention.csv*") if table_file(file.parent, "dense")
    }
    return sorted(found)


def _only_table_folder(path: Path) -> Path:
    if not path.is_dir():
        raise UsageError("no such folder", where=str(path), fix="name a folder perf/GPU/MODEL")
    found = _table_folders(path)
    if not found:
        raise UsageError(
            "holds no attention.csv and dense.csv",
            where=str(path),
            fix="name a folder perf/GPU/MODEL/DTYPE/tpN of LLMServingSim",
        )
    if len(found) > 1:
        inside = [str(folder.relative_to(path)) for folder in found]
        raise UsageError(
            f"holds tables of {len(found)} configurations",
            where=str(path),
            fix=f"name one of {', '.join(inside)}",
        )
    if not found[0].name.removeprefix("tp").isdigit():
        raise UsageError(
            "the tensor-parallel degree is not in the folder's name",
            where=str(found[0]),
            fix="call the folder tp1, tp2, ...",
        )
    return found[0]


def _steps_to_compose(tables: OperatorTables) -> Floats:
    largest = np.zeros((3, 4))  # profiled, by kind of step and axis
    for index, (kind, axes) in enumerate(AXES.items()):
        for axis, values in zip(axes, tables.attention[kind].grid, strict=True):
            largest[index, SHAPE.index(axis)] = values[-1]
    return steps_to_compose(tables.tokens, tables.sequences[-1], largest)


def _model_facts(tables: OperatorTables) -> Facts:
    facts = tables.facts
    notes = "composed from kernel times of one layer; CPU time between kernels is not included"
    if tables.exchanges:
        notes += f"; collectives: {tables.exchanges}"
    elif tables.tp * tables.ranks > 1:
        notes += "; collectives between the GPUs are not included, so steps are too short"
    source = f"perf/{facts['hardware']}/{facts['model']}/{facts['variant']}/tp{tables.tp}"
    system = {
        "gpu_name": facts.get("gpu"),
        "engine": f"vLLM {facts['vllm_version']}" if "vllm_version" in facts else None,
        "cuda": facts.get("cuda_version"),
        "layers": tables.geometry.layers,
        "kv_bytes_per_token": tables.geometry.kv_bytes_per_token(),
        "expert_parallel": tables.ranks if tables.ranks > 1 else None,
    }
    return {
        "dtype": facts["variant"],
        "provenance": {
            "source": f"LLMServingSim profile tables, {source}",
            "url": "https://github.com/casys-kaist/LLMServingSim",
            "licence": licence_of("MIT", notes),
            "notes": notes,
        },
        "system": {key: value for key, value in system.items() if value is not None},
        "terms": terms_beyond_kernels(
            facts["hardware"],
            tables.geometry,
            tables.tp,
            tables.tokens,
            tables.dense_us,
            eager=True,
        ),
    }


SOURCE = Source("LLMServingSim perf/GPU/ORG/MODEL/DTYPE/tpN", is_llmservingsim, read_llmservingsim)
