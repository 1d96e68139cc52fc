"""Outcome traces to a scoreboard."""

from workloadlab.scoring.fidelity import fidelity, request_errors
from workloadlab.scoring.metrics import SLO
from workloadlab.scoring.scoreboard import Scoreboard, score

__all__ = ["SLO", "Scoreboard", "fidelity", "request_errors", "score"]
