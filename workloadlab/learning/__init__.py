"""Oracles that need the simulator: upper bounds of every comparison of routers."""

from workloadlab.learning.exhaustive import Assignments, all_assignments
from workloadlab.learning.hindsight import Headroom, headroom
from workloadlab.learning.oracle import Oracle
from workloadlab.learning.replay import replay_oracles
from workloadlab.learning.shelf import ORACLES, oracle

__all__ = [
    "ORACLES",
    "Assignments",
    "Headroom",
    "Oracle",
    "all_assignments",
    "headroom",
    "oracle",
    "replay_oracles",
]
