"""Loads whichever model a file holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workloadlab.latency import catalog
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.requests.model import FORMAT, RequestModel

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_predictor"]


def load_predictor(name_or_path: str | Path) -> LatencyModel | RequestModel:
    """Read a latency model, by catalogue name or path, or a request model, by path.

    Raises:
        UsageError: no such file and no such name.
        DataError: the file holds neither.

    Example:
        >>> load_predictor("rtxpro6000-llama-3.1-8b").gpu
        'RTXPRO6000'
    """
    path = catalog.locate(name_or_path)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        facts = None
    if isinstance(facts, dict) and facts.get("format") == FORMAT:
        return RequestModel.from_dict(facts, where=str(path))
    return LatencyModel.load(path)
