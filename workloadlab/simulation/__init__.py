"""Replay a trace on a cluster through routers, at once or decision by decision."""

from workloadlab.simulation.cluster import Cluster, Pool
from workloadlab.simulation.environment import Environment
from workloadlab.simulation.event import Event
from workloadlab.simulation.replay import replay

__all__ = ["Cluster", "Environment", "Event", "Pool", "replay"]
