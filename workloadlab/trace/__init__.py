"""The request table: its schema, the Trace around it, its Parquet store, and a folder of runs."""

from workloadlab.trace.prefixes import session_prefixes
from workloadlab.trace.runs import RunInfo, Runs
from workloadlab.trace.schema import COLUMNS, OUTCOMES, Flag
from workloadlab.trace.store import write_atomically
from workloadlab.trace.trace import Provenance, Trace

__all__ = [
    "COLUMNS",
    "OUTCOMES",
    "Flag",
    "Provenance",
    "RunInfo",
    "Runs",
    "Trace",
    "session_prefixes",
    "write_atomically",
]
