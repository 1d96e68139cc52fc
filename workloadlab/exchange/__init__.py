"""A trace as the file that another tool replays, and what that file cannot hold.

Start with `export.py`, the whole way in one function; then `targets.py`: one value for each tool, with
the keys of its file and the column that each is written from. What a tool's file has no key for is
reported, never dropped in silence. To add a tool, add its value to `targets.py`; if `ingest` reads
the same layout, the tests hold the round trip to it.
"""

from workloadlab.exchange.export import Exported, export, losses
from workloadlab.exchange.targets import TARGETS, Target

__all__ = ["TARGETS", "Exported", "Target", "export", "losses"]
