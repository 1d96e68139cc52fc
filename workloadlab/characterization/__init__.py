"""Trace to Profile: integrity, arrivals, lengths, one file per topic."""

from workloadlab.characterization.arrivals import Arrivals
from workloadlab.characterization.facts import Finding, Unsupported
from workloadlab.characterization.integrity import Integrity
from workloadlab.characterization.lengths import Lengths
from workloadlab.characterization.profile import Profile, TraceFacts, characterize

__all__ = [
    "Arrivals",
    "Finding",
    "Integrity",
    "Lengths",
    "Profile",
    "TraceFacts",
    "Unsupported",
    "characterize",
]
