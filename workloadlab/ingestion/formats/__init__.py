"""The log formats that ingest knows: one small file each, declarations and hardly any code.

A format says by which keys a log is recognised, where its requests lie, and which values are which
column. Start with `format.py` and `words.py`, which have the words that a format is written in; then
`traces/azure.py`, a short one, and `gateways/otel.py`, whose requests lie deep. `generic.py` proposes
columns for a log that no other takes; `refused.py` knows the files that hold no requests. To add a
format, write its file and put it into the `FORMATS` of its folder.
"""

from workloadlab.ingestion.formats import benchmarks, engines, gateways, refused, traces
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.generic import GENERIC
from workloadlab.ingestion.formats.names import unit_in_name

__all__ = ["FORMATS", "GENERIC", "Column", "Format", "refused", "unit_in_name"]

FORMATS = (
    *benchmarks.FORMATS,
    *engines.FORMATS,
    *gateways.FORMATS,
    *traces.FORMATS,
    GENERIC,
)
"""Every format, in the order in which they are tried; the generic one takes what is left."""
