"""Finds out which published layout a path is of, and reads step samples from it."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.latency.importers import (
    aiconfigurator,
    llm_inference_bench,
    llmservingsim,
    llmservingsim_v0,
    silicon_sample,
    splitwise,
    vidur,
)

if TYPE_CHECKING:
    import polars as pl

    from workloadlab.latency.importers.source import Facts, Source

__all__ = ["SOURCES", "is_source", "read_source"]

SOURCES: tuple[Source, ...] = (
    llmservingsim.SOURCE,
    llmservingsim_v0.SOURCE,
    vidur.SOURCE,
    aiconfigurator.SOURCE,
    splitwise.SOURCE,
    llm_inference_bench.SOURCE,
    silicon_sample.SOURCE,
)
"""The layouts that `read_source` understands, in the order in which it looks."""


def is_source(path: str | Path) -> bool:
    """Say whether `path` is of a published layout, rather than a step table."""
    return any(source.accepts(Path(path)) for source in SOURCES)


def read_source(
    path: str | Path,
    *,
    model: str | None = None,
    gpu: str | None = None,
    tp: int | None = None,
    dtype: str | None = None,
    expert_parallel: int | None = None,
    link_latency_s: float | None = None,
    link_bytes_s: float | None = None,
) -> tuple[pl.DataFrame, Facts]:
    """Read step samples from whichever published layout `path` is of.

    Args:
        path: a file or a folder.
        model: for sources of several models, or of kernels that serve any.
        gpu: for sources of several GPUs.
        tp: tensor-parallel degree, for sources of several.
        dtype: of the weights, for sources of several.
        expert_parallel: data-parallel ranks that share the experts, for kernels of experts.
        link_latency_s: seconds of a collective between GPUs, for sources that compose steps on several.
        link_bytes_s: bytes per second of its traffic, for the same.

    Returns:
        The step table, and the facts `dtype`, `provenance` and `system` of the model to fit.

    Raises:
        UsageError: no such path, an unknown layout, an option that the source does not take, or a
            choice that is still open.
        DataError: a table lacks a column or a value.
    """
    path = Path(path)
    understood = "\n    ".join(source.layout for source in SOURCES)
    if not path.exists():
        raise UsageError("no such file or folder", where=str(path))
    source = next((source for source in SOURCES if source.accepts(path)), None)
    if source is None:
        kind = "a folder without profile tables" if path.is_dir() else "not a profile table"
        raise UsageError(
            f"is {kind}",
            where=str(path),
            fix=f"name a step table (Parquet or CSV) or one of:\n    {understood}",
        )
    given = {
        "model": model, "gpu": gpu, "tp": tp, "dtype": dtype, "expert_parallel": expert_parallel,
        "link_latency_s": link_latency_s, "link_bytes_s": link_bytes_s,
    }  # fmt: skip
    for name in ("link_latency_s", "link_bytes_s"):
        value = given[name]
        if value is not None and not (isinstance(value, int | float) and 0 < value < float("inf")):
            raise UsageError(
                f"{name} = {value!r}", fix="give seconds, or bytes per second, above 0"
            )
    options = {name: value for name, value in given.items() if value is not None}
    takes = signature(source.read).parameters
    for name in options:
        if name not in takes:
            problem = {
                "expert_parallel": f"{source.layout} is not composed for expert-parallel ranks",
                "link_latency_s": f"{source.layout} is not composed with a link that is given",
                "link_bytes_s": f"{source.layout} is not composed with a link that is given",
            }
            raise UsageError(
                problem.get(name, f"{name} cannot be chosen: {source.layout} holds one"),
                where=str(path),
                fix=f"leave {name} out",
            )
    return source.read(path, **options)
