"""Prompt and output lengths as figures."""

from workloadlab.reporting.workload.lengths.column import plot_input, plot_output
from workloadlab.reporting.workload.lengths.joint import plot_joint

__all__ = ["FIGURES"]

FIGURES = (plot_input, plot_output, plot_joint)
