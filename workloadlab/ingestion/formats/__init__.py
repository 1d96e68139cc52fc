"""The log formats that ingest knows, one file each; a new one is a `Format` in this tuple."""

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
