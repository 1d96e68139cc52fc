"""Step times of a decoder with random weights, measured on this machine."""

from workloadlab.latency.measurement.measure import measure
from workloadlab.latency.measurement.plan import Limits, Shape, planned, refined

__all__ = ["Limits", "Shape", "measure", "planned", "refined"]
