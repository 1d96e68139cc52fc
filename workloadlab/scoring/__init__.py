"""Outcome traces to a scoreboard.

`timings` reads a trace; `metrics` is the list of what is computed from it, each a `metric`: to add
one, add a row there. `scoreboard` scores every run of a replay: a `run_score` each, what is `paired`
between routers, and `fidelity` to observed timings; `tables` is what people read of it.
`service_level` holds targets. `occupancy` averages what a server's gauges would show.
"""

from workloadlab.scoring.fidelity import fidelity, request_errors
from workloadlab.scoring.metric import LatencySummary, Metric
from workloadlab.scoring.metrics import METRICS
from workloadlab.scoring.occupancy import Occupancy, occupancy
from workloadlab.scoring.paired import PairedDifference
from workloadlab.scoring.run_score import OUTSIDE_WORTH_A_WARNING, RunScore
from workloadlab.scoring.scoreboard import Scoreboard, score
from workloadlab.scoring.service_level import SLO

__all__ = [
    "METRICS",
    "OUTSIDE_WORTH_A_WARNING",
    "SLO",
    "LatencySummary",
    "Metric",
    "Occupancy",
    "PairedDifference",
    "RunScore",
    "Scoreboard",
    "fidelity",
    "occupancy",
    "request_errors",
    "score",
]
