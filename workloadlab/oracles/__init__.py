"""Oracles that need the simulator: upper bounds of every comparison of routers."""

from workloadlab.oracles.exhaustive import Assignments, all_assignments
from workloadlab.oracles.hindsight import Headroom, headroom
from workloadlab.oracles.oracle import Oracle
from workloadlab.oracles.registry import ORACLES, oracle
from workloadlab.oracles.replay import replay_oracles

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
