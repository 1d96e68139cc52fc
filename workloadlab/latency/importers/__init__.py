"""Published tables turned into step samples: one file per source, behind one registry.

Start with `SOURCES` below: how each layout is recognised and read; then `splitwise.py`, the
shortest, and `llmservingsim.py`, whose tables hold the parts of a layer. `operator_tables.py` and
`composition.py` add parts up to steps, `attention.py` joins points of attention, `selection.py`
finds files and choices. To add a source, write its file and its row in `SOURCES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.latency.importers.aiconfigurator import is_aiconfigurator, read_aiconfigurator
from workloadlab.latency.importers.llm_inference_bench import (
    is_llm_inference_bench,
    read_llm_inference_bench,
)
from workloadlab.latency.importers.llmservingsim import is_llmservingsim, read_llmservingsim
from workloadlab.latency.importers.llmservingsim_v0 import (
    is_llmservingsim_v0,
    read_llmservingsim_v0,
)
from workloadlab.latency.importers.silicon_sample import is_silicon_sample, read_silicon_sample
from workloadlab.latency.importers.splitwise import is_splitwise, read_splitwise
from workloadlab.latency.importers.vidur import is_vidur, read_vidur

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

__all__ = ["SOURCES", "Source", "is_source", "read_source"]


@dataclass(frozen=True)
class Source:
    """One published layout: how to recognise and to read it.

    Attributes:
        layout: what a user has to name, in words.
        accepts: says whether a path is of this layout.
        read: returns step samples and facts from a path and the options that it takes.
    """

    layout: str
    accepts: Callable[[Path], bool]
    read: Callable[..., tuple[pl.DataFrame, dict[str, Any]]]


SOURCES: tuple[Source, ...] = (
    Source("LLMServingSim perf/GPU/ORG/MODEL/DTYPE/tpN", is_llmservingsim, read_llmservingsim),
    Source("LLMServingSim perf_v0/GPU/ORG/MODEL/tpN", is_llmservingsim_v0, read_llmservingsim_v0),
    Source("Vidur compute/GPU/ORG__MODEL", is_vidur, read_vidur),
    Source("aiconfigurator SYSTEM/FRAMEWORK-VERSION", is_aiconfigurator, read_aiconfigurator),
    Source("Splitwise perf_model.csv", is_splitwise, read_splitwise),
    Source("LLM-Inference-Bench All_results.csv", is_llm_inference_bench, read_llm_inference_bench),
    Source("aiconfigurator silicon_sample.csv", is_silicon_sample, read_silicon_sample),
)
"""What `read_source` understands, in the order in which it looks."""


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
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Read step samples from whichever published layout `path` is of.

    Args:
        path: a file or a folder.
        model: for sources of several models, or of kernels that serve any.
        gpu: for sources of several GPUs.
        tp: tensor-parallel degree, for sources of several.
        dtype: of the weights, for sources of several.
        expert_parallel: data-parallel ranks that share the experts, for kernels of experts.

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
    }  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    takes = signature(source.read).parameters
    for name in options:
        if name not in takes:
            raise UsageError(
                f"{name} cannot be chosen: {source.layout} holds one"
                if name != "expert_parallel"
                else f"{source.layout} is not composed for expert-parallel ranks",
                where=str(path),
                fix=f"leave {name} out",
            )
    return source.read(path, **options)
