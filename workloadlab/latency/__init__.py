"""The time that an engine step takes: samples of steps, models fitted on them, and a catalogue.

Start with `features.py` (the four numbers of a step) and `samples.py` (steps with their measured
duration), then `fit.py`: it loads samples, holds some out, fits and writes the error card.
`model.py` is the result, `model_file.py` its JSON. `estimators/` holds one file for each way to
model step time, `importers/` one for each published source of samples; each has a registry.
`hardware/` knows GPUs and shapes of models, `measurement/` measures steps on this machine,
`requests/` predicts whole requests. To add an estimator or an importer, write its file and name it
in the registry beside it.
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
    from workloadlab.latency.requests.model import RequestModel, load_predictor

_LATER = {
    "RequestModel": "requests.model",
    "fit_requests": "requests.fit",
    "load_predictor": "requests.model",
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
