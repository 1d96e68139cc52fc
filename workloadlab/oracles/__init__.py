"""Routers that know the lengths and the arrivals to come: bounds for those that do not.

Start with `oracle.py`, what an oracle is; then `lookahead.py` and `rollout.py`, which try each
choice and play on: `look_ahead.py` and its loops in `look_ahead_kernel.py` do so on forks of a
lane, which `fork_kernel.py` copies. `labels.py` writes down what each choice would have cost, and
`externality.py` how much of that others pay.
`hindsight.py` improves the assignment of a whole trace, `exhaustive.py` tries every one of a small
trace. `replay.py` makes runs of them that stand beside those of routers. To add an oracle, write
its file and its row in `registry.py`.
"""

from workloadlab.oracles.exhaustive import Assignments, all_assignments
from workloadlab.oracles.hindsight import Headroom, headroom
from workloadlab.oracles.labels import CostWeights, Labels, oracle_labels
from workloadlab.oracles.oracle import Oracle
from workloadlab.oracles.registry import ORACLES, oracle
from workloadlab.oracles.replay import replay_oracles

__all__ = [
    "ORACLES",
    "Assignments",
    "CostWeights",
    "Headroom",
    "Labels",
    "Oracle",
    "all_assignments",
    "headroom",
    "oracle",
    "oracle_labels",
    "replay_oracles",
]
