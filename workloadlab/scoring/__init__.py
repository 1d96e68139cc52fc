"""Outcome traces to a scoreboard: each run's metrics, and what separates one router from another.

Start with `metrics.py`, every metric of a run; then `scoreboard.py`, the table of all runs; then
`paired.py`, the interval of a difference over the same windows and seeds. `timings.py` reads
latencies from any trace, simulated or observed; `fidelity.py` compares the two, and `occupancy.py`
turns timings into what the gauges of a server would have shown. To add a metric, add its value to
`metrics.py`: header, row and JSON follow.
"""

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
