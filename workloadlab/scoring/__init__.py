"""Outcome traces to a scoreboard: the metrics of each run, and what separates one router from another.

Start with `metrics.py`, the list of what is computed, each a value of `metric.py`; then `score.py`,
which makes a `scoreboard.py` of one `run_score.py` per run; then `verdict.py`, what it means in words.
`saturation.py` and `imbalance.py` come before any comparison; `windows.py`, `intervals.py` and
`paired.py` say how sure a number or a difference is, `between.py` how far off a replay may be;
`load/` finds the rates at which something changes; `timings.py` reads any trace, simulated or observed.
To add a metric, add its row to `metrics.py`: header, JSON and the report's table follow.
"""

from workloadlab.scoring.between import between
from workloadlab.scoring.fidelity import fidelity, request_errors
from workloadlab.scoring.gate import Gate
from workloadlab.scoring.imbalance import Imbalance, imbalance
from workloadlab.scoring.intervals import Interval
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.metric import LatencySummary, Metric, Rent
from workloadlab.scoring.metrics import METRICS
from workloadlab.scoring.occupancy import Occupancy, occupancy
from workloadlab.scoring.off_policy import OffPolicy, off_policy
from workloadlab.scoring.paired import PairedDifference
from workloadlab.scoring.run_score import (
    OUTSIDE_WORTH_A_WARNING,
    KeptScore,
    RunScore,
    mean_over,
    plain_score,
)
from workloadlab.scoring.saturation import Saturation, saturation
from workloadlab.scoring.score import keeps_only_scores, open_runs, score, score_run
from workloadlab.scoring.scoreboard import BY, Scoreboard
from workloadlab.scoring.service_level import SLO
from workloadlab.scoring.slices import SLICES, Slice
from workloadlab.scoring.verdict import Verdict

__all__ = [
    "BY",
    "METRICS",
    "OUTSIDE_WORTH_A_WARNING",
    "SLICES",
    "SLO",
    "Gate",
    "Imbalance",
    "Interval",
    "KeptScore",
    "LatencySummary",
    "Measure",
    "Metric",
    "Occupancy",
    "OffPolicy",
    "PairedDifference",
    "Rent",
    "RunScore",
    "Saturation",
    "Scoreboard",
    "Slice",
    "Verdict",
    "between",
    "fidelity",
    "imbalance",
    "keeps_only_scores",
    "mean_over",
    "occupancy",
    "off_policy",
    "open_runs",
    "plain_score",
    "request_errors",
    "saturation",
    "score",
    "score_run",
]
