"""Logs to traces: recognise the format, stream, set aside what is bad."""

from workloadlab.ingestion.formats import FORMATS, Column, Format
from workloadlab.ingestion.ingest import ingest

__all__ = ["FORMATS", "Column", "Format", "ingest"]
