"""A trace to a profile: facts, each with what the data cannot say.

Start with `profile.py`, which measures every topic and keeps them as one JSON document; then
`topics/integrity.py`, which comes first: whether the trace can be trusted; then
`topics/arrivals.py`. `rows.py` has the arrays that topics read, `facts.py` makes JSON of their
dataclasses and reads it back, and `statistics/` has the estimators that topics share. To add a
topic, add a file to `topics/`.
"""

from workloadlab.characterization.facts import Finding, Unsupported
from workloadlab.characterization.profile import Profile, TraceFacts, characterize
from workloadlab.characterization.topics.agentic import Agentic
from workloadlab.characterization.topics.arrivals import Arrivals
from workloadlab.characterization.topics.concurrency import Concurrency
from workloadlab.characterization.topics.drift import Comparison, Drift, compare
from workloadlab.characterization.topics.integrity import Integrity
from workloadlab.characterization.topics.lengths import Lengths
from workloadlab.characterization.topics.phases import Phases
from workloadlab.characterization.topics.prefix import Prefix
from workloadlab.characterization.topics.service import ServiceLevels
from workloadlab.characterization.topics.sessions import Sessions
from workloadlab.characterization.topics.tenants import Tenants

__all__ = [
    "Agentic",
    "Arrivals",
    "Comparison",
    "Concurrency",
    "Drift",
    "Finding",
    "Integrity",
    "Lengths",
    "Phases",
    "Prefix",
    "Profile",
    "ServiceLevels",
    "Sessions",
    "Tenants",
    "TraceFacts",
    "Unsupported",
    "characterize",
    "compare",
]
