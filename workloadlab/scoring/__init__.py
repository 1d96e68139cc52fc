"""Outcome traces to a scoreboard."""

from workloadlab.scoring.fidelity import fidelity, request_errors
from workloadlab.scoring.metrics import SLO
from workloadlab.scoring.occupancy import Occupancy, occupancy
from workloadlab.scoring.scoreboard import Scoreboard, score

__all__ = [
    "SLO",
    "Occupancy",
    "Scoreboard",
    "fidelity",
    "occupancy",
    "request_errors",
    "score",
]
