"""The request table, one row per request, and what stands around it: provenance, Parquet, runs.

A log becomes a trace, a synthetic workload is one, and the outcome of a replay is one too. Start
with `schema.py`, which has every column and its meaning; then `trace.py`, the lazy frame with its
provenance, which says whether a trace has what an analysis needs; then `store.py`, its Parquet
file, and `parts.py`, a folder of them that grows. `bounds.py` says which numbers a trace may hold;
`runs.py` is a folder of outcome traces with a `manifest.py`; `prefixes.py` makes block ids of sessions;
`engine_facts.py` names what a log may know about its engine. To add a column, add a row to `schema.py`.
"""

from workloadlab.atomic import write_atomically
from workloadlab.trace.bounds import MOST_S, check_numbers
from workloadlab.trace.engine_facts import ENGINE_FACTS, engine_facts
from workloadlab.trace.manifest import (
    MANIFEST,
    Manifest,
    RunFile,
    RunInfo,
    Share,
    check_target,
    unlisted,
)
from workloadlab.trace.parts import read_parts
from workloadlab.trace.prefixes import session_prefixes
from workloadlab.trace.runs import Runs
from workloadlab.trace.schema import CAPABILITIES, COLUMNS, GIVEN, OUTCOMES, Flag
from workloadlab.trace.store import trace_digest
from workloadlab.trace.trace import AnyTrace, Provenance, Trace

__all__ = [
    "CAPABILITIES",
    "COLUMNS",
    "ENGINE_FACTS",
    "GIVEN",
    "MANIFEST",
    "MOST_S",
    "OUTCOMES",
    "AnyTrace",
    "Flag",
    "Manifest",
    "Provenance",
    "RunFile",
    "RunInfo",
    "Runs",
    "Share",
    "Trace",
    "check_numbers",
    "check_target",
    "engine_facts",
    "read_parts",
    "session_prefixes",
    "trace_digest",
    "unlisted",
    "write_atomically",
]
