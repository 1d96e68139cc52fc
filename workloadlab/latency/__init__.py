"""How long an engine step takes: step samples, models fitted on them, and a catalogue of models."""

from workloadlab.latency.card import ErrorCard, ErrorSlice
from workloadlab.latency.domain import Domain
from workloadlab.latency.estimators import ESTIMATORS
from workloadlab.latency.fit import fit
from workloadlab.latency.geometry import ModelGeometry
from workloadlab.latency.mixed import mixed_kernel
from workloadlab.latency.model import LatencyModel
from workloadlab.latency.request_fit import fit_requests
from workloadlab.latency.request_model import RequestModel
from workloadlab.latency.samples import SAMPLE_COLUMNS, check_samples, read_samples, write_samples

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
    "mixed_kernel",
    "read_samples",
    "write_samples",
]
