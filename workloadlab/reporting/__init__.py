"""Facts to figures and one self-contained HTML page.

Start with `summary.py` (parts to sections, in the order of the page), then `facts.py` (a `Section`,
a `Plot`, and the `Drawing` that it carries), then `page.py` (sections to HTML). `workload/`,
`capacity/`, `routers/`, `learned_router/` and `latency_model/` each turn one kind of part into a
section, put together as in `workload/section.py`; every other file there is a figure, its reading
beside its drawing.
`canvas.py` holds the look that all drawings share, `grids.py` turns tables of other rooms into grids.
To add a figure, add its file to the folder of its section.
"""

from workloadlab.reporting.page import report
from workloadlab.reporting.summary import summarise

__all__ = ["report", "summarise"]
