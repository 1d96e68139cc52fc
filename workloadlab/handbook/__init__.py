"""Everything that has a name, as small frames and as pages of the reference.

Start with `registries.py`: each function returns the rows of one registry as a frame, for people who
look for a name; then `pages.py`, which writes `docs/reference/` from the same registries, and
`situations.py`, which routers to try first. Nothing is stated here that a registry states. To add a
page, add its function and its row in `PAGES`.
"""

from workloadlab.handbook.registries import formats, metrics, models, queries, routers, signals

__all__ = ["formats", "metrics", "models", "queries", "routers", "signals"]
