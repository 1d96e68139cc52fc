"""Trace to Profile: one file per topic, integrity first.

Start with `characterize.py`, then `profile.py` (`Profile`, and `TOPICS`, the list of all topics) and
`study.py` (a `Topic` is a value; a `Study` is the trace that it measures), then any file of
`topics/`. `statistics/` holds the estimators that topics call, `rows.py` the reading of a trace into
arrays, `bounded/` the measuring of traces that no memory holds, `facts.py` the way of dataclasses to
JSON and back.

To add a topic: its file in `topics/`, one row in `TOPICS` and one in `Profile`; with a figure, a file
of the same name in `reporting/workload/`; with a query, a file in `queries/` that names it.
"""

from workloadlab.characterization.characterize import ROW_LIMIT, characterize, finish
from workloadlab.characterization.comparison import Comparison, compare
from workloadlab.characterization.facts import Finding, Unsupported
from workloadlab.characterization.profile import TOPICS, Profile, TraceFacts
from workloadlab.characterization.study import Study, Topic
from workloadlab.characterization.topics.agentic import Agentic
from workloadlab.characterization.topics.arrivals import Arrivals
from workloadlab.characterization.topics.concurrency import Concurrency
from workloadlab.characterization.topics.drift import Drift
from workloadlab.characterization.topics.integrity import Integrity
from workloadlab.characterization.topics.lengths import LengthColumn, Lengths
from workloadlab.characterization.topics.phases import Phases
from workloadlab.characterization.topics.prefix import Prefix
from workloadlab.characterization.topics.service_levels import ServiceLevels
from workloadlab.characterization.topics.sessions import Sessions
from workloadlab.characterization.topics.tenants import Tenants

__all__ = [
    "ROW_LIMIT",
    "TOPICS",
    "Agentic",
    "Arrivals",
    "Comparison",
    "Concurrency",
    "Drift",
    "Finding",
    "Integrity",
    "LengthColumn",
    "Lengths",
    "Phases",
    "Prefix",
    "Profile",
    "ServiceLevels",
    "Sessions",
    "Study",
    "Tenants",
    "Topic",
    "TraceFacts",
    "Unsupported",
    "characterize",
    "compare",
    "finish",
]
