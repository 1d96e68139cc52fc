"""How long an engine step takes: step samples, models fitted on them, and a catalogue of models."""

from workloadlab.latency.card import ErrorCard, ErrorSlice
from workloadlab.latency.domain import Domain
from workloadlab.latency.estimators import ESTIMATORS
from workloadlab.latency.fit import fit
from workloadlab.latency.geometry import ModelGeometry
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.samples import SAMPLE_COLUMNS, check_samples, read_samples, write_samples

__all__ = [
    "ESTIMATORS",
    "SAMPLE_COLUMNS",
    "Domain",
    "ErrorCard",
    "ErrorSlice",
    "LatencyModel",
    "ModelGeometry",
    "check_samples",
    "fit",
    "read_samples",
    "write_samples",
]
