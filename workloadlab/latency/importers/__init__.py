"""Published tables turned into step samples: one file per source, behind one registry.

Start with `registry.py`: the sources, and which one a path is of. `source.py` says what a source
holds. Then read `splitwise.py`, the shortest, and `llmservingsim.py`, whose tables hold the parts of a
layer. `operator_tables.py` and `composition.py` add parts up to steps, `attention.py` joins points of
attention, `selection.py` finds files and choices. To add a source, write its file and its row in
`registry.py`.
"""

from workloadlab.latency.importers.registry import SOURCES, is_source, read_source
from workloadlab.latency.importers.source import Facts, Source

__all__ = ["SOURCES", "Facts", "Source", "is_source", "read_source"]
