"""Sessions as figures: whether they go on, and how their prompts grow."""

from workloadlab.reporting.workload.sessions.context import plot_context
from workloadlab.reporting.workload.sessions.hazard import plot_hazard

__all__ = ["FIGURES"]

FIGURES = (plot_hazard, plot_context)
