"""Prefix reuse as figures: by the size of the cache, by the number of instances, by time."""

from workloadlab.reporting.workload.prefix.cache import plot_cache
from workloadlab.reporting.workload.prefix.instances import plot_instances
from workloadlab.reporting.workload.prefix.reuse import plot_reuse

__all__ = ["FIGURES"]

FIGURES = (plot_cache, plot_instances, plot_reuse)
