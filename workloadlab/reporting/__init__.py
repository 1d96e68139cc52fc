"""Facts to figures and one self-contained HTML page."""

from workloadlab.reporting.page import report
from workloadlab.reporting.summary import summarise

__all__ = ["report", "summarise"]
