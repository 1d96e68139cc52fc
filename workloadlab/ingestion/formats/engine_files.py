"""What benchmarks write down of the engine that they drove, in their own file or in one beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError
from workloadlab.ingestion.readers.packing import opened
from workloadlab.trace import engine_facts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["facts_of_aiperf", "facts_of_guidellm", "facts_of_vllm_bench"]

SERVER_METRICS = "server_metrics_export.json"
"""AIPerf's summary of the engines' Prometheus metrics, beside its records."""
CACHE_INFO = "vllm:cache_config_info"
"""The metric whose labels are vLLM's cache settings, of one engine each."""


def facts_of_aiperf(log: Path) -> dict[str, Any]:
    """Read vLLM's cache settings and the served model from the server metrics beside a log.

    One engine per series, so many series are many instances; their settings count where all agree.
    """
    beside = log.with_name(SERVER_METRICS)
    if not beside.is_file():
        return {}
    found = _first_json(beside)
    endpoint = _part(_part(found, "input_config"), "endpoint")
    names = endpoint.get("model_names") or [None]
    facts: dict[str, Any] = {"model": names[0] if isinstance(names, list) else names}
    series = _part(_part(found, "metrics"), CACHE_INFO).get("series") or []
    if series:
        labels = [_part(one, "labels") for one in series]
        shared = set(labels[0].items()).intersection(*(set(each.items()) for each in labels))
        facts = {**facts, **dict(shared), "engine": "vllm", "instances": len(series)}
    return engine_facts(facts, where=str(beside))


def facts_of_vllm_bench(log: Path) -> dict[str, Any]:
    """Read the model, and the facts that a user gave with `--metadata`, from the head of a result."""
    found = _scalars(_first_json(log))
    engine = {"engine": "vllm"} if "vllm_version" in found else {}
    return engine_facts({**engine, **found}, where=str(log))


def facts_of_guidellm(log: Path) -> dict[str, Any]:
    """Read the model from the arguments of a report: `args`, or `config` since 0.6."""
    found = _first_json(log)
    parts = [_part(found, name) for name in ("config", "args")]
    return engine_facts(_scalars({key: v for part in parts for key, v in part.items()}),
                        where=str(log))  # fmt: skip


def _first_json(path: Path) -> dict[str, Any]:
    """Return the only JSON value of a file, or that of its first line; {} for what is no object."""
    with opened(path) as stream:
        text = stream.read()
    try:
        found = json.JSONDecoder().raw_decode(text.decode("utf-8-sig").lstrip())[0]
    except ValueError as error:
        raise DataError(
            "is damaged, though it should describe the run",
            where=str(path),
            fix="mend it or move it away",
        ) from error
    return found if isinstance(found, dict) else {}


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _scalars(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if not isinstance(value, list | dict)}
