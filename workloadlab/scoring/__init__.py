"""Outcome traces to a scoreboard: the metrics of each run, and what separates one router from another.

Start with `metrics.py`, the list of what is computed, each a value of `metric.py`; then
`scoreboard.py`, which scores every run of a replay: one `run_score.py` each; then `paired.py`, the
interval of a difference over the same windows and seeds. `timings.py` reads any trace, simulated or
observed; `fidelity.py` compares the two; `tables.py` is what people read. `service_level.py` holds
targets, and `occupancy.py` averages what a server's gauges would show. To add a metric, add its row
to `metrics.py`: header, row, JSON and the table of the report follow.
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
