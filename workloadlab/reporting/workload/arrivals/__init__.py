"""The arrival process as figures."""

from workloadlab.reporting.workload.arrivals.dispersion import plot_dispersion
from workloadlab.reporting.workload.arrivals.gaps import plot_gaps
from workloadlab.reporting.workload.arrivals.rate import plot_rate
from workloadlab.reporting.workload.arrivals.week import plot_week

__all__ = ["FIGURES"]

FIGURES = (plot_rate, plot_gaps, plot_dispersion, plot_week)
