"""Replay a trace on a cluster through routers."""

from workloadlab.simulation.cluster import Cluster, Pool
from workloadlab.simulation.lanes import replay

__all__ = ["Cluster", "Pool", "replay"]
