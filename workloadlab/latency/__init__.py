"""How long an engine step takes: measured steps, models fitted on them, and a catalogue of models.

Start with `samples.py`, the table of measured steps; then `fit.py`, from samples to a model with an
honest error card; then `model.py`, the model, and `model_file.py`, its JSON. `domain.py` says where
a model was fitted, `card.py` how wrong it was there, `choice.py` which estimator serves best.
`estimators/` has the estimators, `requests/` models of whole requests, `hardware/` GPUs and model
shapes, `importers/` published tables, `measurement/` this machine's GPU, `catalog/` models that
ship. To add an estimator, an importer or a GPU, add to that folder. Compiled names are imported on
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from workloadlab.latency.card import ErrorCard, ErrorSlice
from workloadlab.latency.domain import Domain
from workloadlab.latency.estimators.registry import ESTIMATORS
from workloadlab.latency.fit import fit
from workloadlab.latency.hardware.geometry import ModelGeometry
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.samples import SAMPLE_COLUMNS, check_samples, read_samples, write_samples

if TYPE_CHECKING:
    from workloadlab.latency.requests.fit import fit_requests
    from workloadlab.latency.requests.model import RequestModel
    from workloadlab.latency.requests.predictor import load_predictor

_LATER = {
    "RequestModel": "requests.model",
    "fit_requests": "requests.fit",
    "load_predictor": "requests.predictor",
}

__all__ = [
    "ESTIMATORS",
    "SAMPLE_COLUMNS",
    "Domain",
    "ErrorCard",
    "ErrorSlice",
    "LatencyModel",
    "ModelGeometry",
    "RequestModel",
    "check_samples",
    "fit",
    "fit_requests",
    "load_predictor",
    "read_samples",
    "write_samples",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'workloadlab.latency' has no attribute {name!r}")
    value = getattr(import_module(f"workloadlab.latency.{_LATER[name]}"), name)
    globals()[name] = value
    return value
