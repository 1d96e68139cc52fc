"""The log formats that ingest knows: one small file each, data and no code.

A format says by which keys a log is recognised, and which of its keys is which column, in which
unit. Start with `format.py`, which has the words that a format is written in; then `azure.py`, a
short one, and `aiperf.py`, whose records are nested. `generic.py` proposes columns for a log that
no other takes. To add a format, write its file and put it into `FORMATS` below, before the generic
one.
"""

from workloadlab.ingestion.formats.aiperf import AIPERF
from workloadlab.ingestion.formats.azure import AZURE
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.generic import GENERIC, unit_in_name
from workloadlab.ingestion.formats.inferencex import INFERENCEX
from workloadlab.ingestion.formats.llmservingsim import LLMSERVINGSIM
from workloadlab.ingestion.formats.lmbench import LMBENCH
from workloadlab.ingestion.formats.mooncake import MOONCAKE
from workloadlab.ingestion.formats.vllm_multiturn import VLLM_MULTITURN

__all__ = ["FORMATS", "GENERIC", "Column", "Format", "unit_in_name"]

FORMATS = (
    AZURE,
    MOONCAKE,
    LLMSERVINGSIM,
    LMBENCH,
    VLLM_MULTITURN,
    INFERENCEX,
    AIPERF,
    GENERIC,
)
"""Every format, in the order in which they are tried; the generic one takes what is left."""
