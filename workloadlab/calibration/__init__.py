"""Request timings to a latency model: the simulator inside an optimizer."""

from workloadlab.calibration.calibrate import calibrate
from workloadlab.calibration.findings import describe

__all__ = ["calibrate", "describe"]
