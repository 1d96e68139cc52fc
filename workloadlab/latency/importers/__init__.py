"""Published tables turned into step samples: one file per source, and one row in `registry`."""

from workloadlab.latency.importers.registry import SOURCES, is_source, read_source
from workloadlab.latency.importers.source import Facts, Source

__all__ = ["SOURCES", "Facts", "Source", "is_source", "read_source"]
