"""A trace replayed on a cluster through routers, at once or decision by decision.

Start with `replay.py`: the lanes of a replay and what comes out; then `cluster.py` and `pool.py`,
what is simulated, `engines.py`, the defaults that engines ship with, and `log_facts.py`, what a log
knows better; then `reference/lane.py`, the engine to read, and `engine/lane.py`, the engine to run:
file by file they are twins, and equal request by request. `workload.py` is the trace as arrays,
`runs.py` the way back to traces, `recording.py` what is written down on the way, `environment.py`
many lanes that stop at each decision. To add a kind of event, write its handler in both engines:
what the reference cannot explain does not go into the compiled one.
"""

from workloadlab.simulation.cluster import Cluster, Pool
from workloadlab.simulation.environment import Environment
from workloadlab.simulation.event import Event
from workloadlab.simulation.log_facts import contradictions
from workloadlab.simulation.metrics import replay_metrics
from workloadlab.simulation.replay import replay
from workloadlab.simulation.saturation import saturation

__all__ = [
    "Cluster",
    "Environment",
    "Event",
    "Pool",
    "contradictions",
    "replay",
    "replay_metrics",
    "saturation",
]
