"""Rebuilds the catalogue: python -m workloadlab.latency.catalog.build DATA_FOLDER.

DATA_FOLDER holds published tables at the commits below: `llmservingsim/perf` and
`llmservingsim/perf_v0` (from LLMServingSim's `profiler`), `vidur/compute`, `vidur/compute_2023` and
`vidur/network` (from Vidur's `data/profiling`) and `aiconfigurator/SYSTEM` (its systems' data). The
same tables give the same bytes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError, WorkloadlabError
from workloadlab.latency.fit import fit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloadlab.latency.model import LatencyModel

__all__ = ["COMMITS", "MODELS", "Recipe", "build"]

COMMITS = {
    "LLMServingSim": "5daddb21a545658d5150b535712d0494584b5278",
    "Vidur": "7d47513363ec447a741ac5e47241580b47724fbf",
    "aiconfigurator": "095f58a51c4ca8e61b66ec108d86f223f8d559ce",
}
"""Project -> commit of the tables that the catalogue is built from."""


@dataclass(frozen=True)
class Recipe:
    """Where the samples of one model come from.

    Attributes:
        path: below the data folder.
        options: of `read_source`.
        estimator: tables, as the kernels are, unless their errors are larger than those of a line.
    """

    path: str
    options: dict[str, Any] = field(default_factory=dict)
    estimator: str = "table"


_PERF = "llmservingsim/perf"
_A100, _H100 = "vidur/compute/a100", "vidur/compute/h100"

MODELS = {
    "a100-codellama-34b-tp2": Recipe(f"{_A100}/codellama__CodeLlama-34b-Instruct-hf", {"tp": 2}),
    "a100-llama-2-7b": Recipe(f"{_A100}/meta-llama__Llama-2-7b-hf", {"tp": 1}),
    "a100-llama-3-70b-tp4": Recipe(f"{_A100}/meta-llama__Meta-Llama-3-70B", {"tp": 4}),
    "a100-llama-3-8b": Recipe(f"{_A100}/meta-llama__Meta-Llama-3-8B", {"tp": 1}),
    "a100-llama-3.1-8b": Recipe("aiconfigurator/a100_sxm", {"model": "Llama-3.1-8B"}),
    "a6000-llama-3.1-8b": Recipe(
        "llmservingsim/perf_v0/A6000/meta-llama/Llama-3.1-8B/tp1", estimator="linear"
    ),
    "h100-codellama-34b-tp2": Recipe(f"{_H100}/codellama__CodeLlama-34b-Instruct-hf", {"tp": 2}),
    "h100-llama-2-7b": Recipe(f"{_H100}/meta-llama__Llama-2-7b-hf", {"tp": 1}),
    "h100-llama-3-70b-tp4": Recipe("aiconfigurator/h100_sxm", {"model": "Llama-3-70B", "tp": 4}),
    "h100-llama-3.1-8b": Recipe("aiconfigurator/h100_sxm", {"model": "Llama-3.1-8B"}),
    "h100-qwen3-32b-tp2": Recipe("aiconfigurator/h100_sxm", {"model": "Qwen3-32B", "tp": 2}),
    "h200-llama-3-70b-tp4": Recipe("aiconfigurator/h200_sxm", {"model": "Llama-3-70B", "tp": 4}),
    "h200-llama-3.1-8b": Recipe("aiconfigurator/h200_sxm", {"model": "Llama-3.1-8B"}),
    "h200-qwen3-32b": Recipe("aiconfigurator/h200_sxm", {"model": "Qwen3-32B"}),
    "rtx4090-llama-3.1-8b": Recipe(f"{_PERF}/RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1"),
    "rtxpro6000-llama-3.1-8b": Recipe(f"{_PERF}/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1"),
    "rtxpro6000-llama-3.1-8b-tp2": Recipe(f"{_PERF}/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp2"),
    "rtxpro6000-qwen3-30b-a3b": Recipe(
        f"{_PERF}/RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1"
    ),
    "rtxpro6000-qwen3-30b-a3b-ep2": Recipe(
        f"{_PERF}/RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1", {"expert_parallel": 2}
    ),
    "rtxpro6000-qwen3-32b": Recipe(f"{_PERF}/RTXPRO6000/Qwen/Qwen3-32B/bf16/tp1"),
    "rtxpro6000-qwen3-32b-tp2": Recipe(f"{_PERF}/RTXPRO6000/Qwen/Qwen3-32B/bf16/tp2"),
}
"""Catalogue name -> recipe."""


def build(data: Path, out: Path, names: Iterable[str] = MODELS) -> list[LatencyModel]:
    """Fit models of the catalogue and write them to `out`.

    Args:
        data: the folder of published tables.
        out: where the JSON files go.
        names: which models; all of them otherwise.

    Raises:
        UsageError: `data` lacks the tables of a recipe.
    """
    models = []
    for name in names:
        recipe = MODELS[name]
        path = data / recipe.path
        if not path.is_dir():
            raise UsageError("no such folder", where=str(path), fix="see what DATA_FOLDER holds")
        model = fit(path, estimator=recipe.estimator, name=name, **recipe.options)
        provenance = model.provenance | {"commit": _commits(model.provenance)}
        models.append(replace(model, provenance=dict(sorted(provenance.items()))))
        models[-1].save(out / f"{name}.json")
    return models


def _commits(provenance: dict[str, str]) -> str:
    """Name the commit of every project in the provenance; only the commit if there is one."""
    words = provenance["source"] + provenance["notes"]
    used = [project for project in COMMITS if project in words]
    if len(used) == 1:
        return COMMITS[used[0]]
    return ", ".join(f"{project} {COMMITS[project]}" for project in used)


def _main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m workloadlab.latency.catalog.build DATA_FOLDER\n")
        return 2
    try:
        models = build(Path(arguments[0]), Path(__file__).resolve().parent)
    except WorkloadlabError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("\n\n".join(map(str, models)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
