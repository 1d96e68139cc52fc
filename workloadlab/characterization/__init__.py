"""Trace to Profile: one file per topic, integrity first."""

from workloadlab.characterization.agentic import Agentic
from workloadlab.characterization.arrivals import Arrivals
from workloadlab.characterization.concurrency import Concurrency
from workloadlab.characterization.drift import Comparison, Drift, compare
from workloadlab.characterization.facts import Finding, Unsupported
from workloadlab.characterization.integrity import Integrity
from workloadlab.characterization.lengths import Lengths
from workloadlab.characterization.phases import Phases
from workloadlab.characterization.prefix import Prefix
from workloadlab.characterization.profile import Profile, TraceFacts, characterize
from workloadlab.characterization.service import ServiceLevels
from workloadlab.characterization.sessions import Sessions
from workloadlab.characterization.tenants import Tenants

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
