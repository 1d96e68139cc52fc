"""Rebuilds the catalogue: python -m workloadlab.latency.catalog.build DATA_FOLDER.

DATA_FOLDER holds `llmservingsim/perf`, the folder `profiler/perf` of LLMServingSim at the commit
below. The same tables give the same bytes. Tensor-parallel tables are left out: they do not hold
the collectives between the GPUs, so a model fitted on them would be too fast.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError, WorkloadlabError
from workloadlab.latency.fit import fit

if TYPE_CHECKING:
    from workloadlab.latency.model import LatencyModel

__all__ = ["MODELS", "build"]

COMMIT = "5daddb21a545658d5150b535712d0494584b5278"

MODELS = {
    "rtx4090-llama-3.1-8b": "RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1",
    "rtxpro6000-llama-3.1-8b": "RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1",
    "rtxpro6000-qwen3-30b-a3b": "RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1",
    "rtxpro6000-qwen3-32b": "RTXPRO6000/Qwen/Qwen3-32B/bf16/tp1",
}
"""Catalogue name -> folder below `llmservingsim/perf`."""


def build(data: Path, out: Path) -> list[LatencyModel]:
    """Fit every model of the catalogue and write it to `out`.

    Raises:
        UsageError: `data` does not hold `llmservingsim/perf`.
    """
    tables = data / "llmservingsim" / "perf"
    if not tables.is_dir():
        raise UsageError("no such folder", where=str(tables), fix="see the source in a model file")
    models = []
    for name, folder in MODELS.items():
        model = fit(tables / folder, name=name)
        provenance = model.provenance | {"commit": COMMIT}
        models.append(replace(model, provenance=dict(sorted(provenance.items()))))
        models[-1].save(out / f"{name}.json")
    return models


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
