"""Facts to figures, and to one HTML page that needs nothing beside it.

Start with `page.py`: facts to a file; then `summary.py`: which sections there are, and the first
sentences; then a section, `workload/section.py`. `facts.py` has the shapes between the two,
`words.py` the numbers as people say them, `canvas.py` the look of every figure. A figure is one
file: what it reads and what it draws. To add a figure, add its file to the folder of its section.
"""

from workloadlab.reporting.page import report
from workloadlab.reporting.summary import summarise

__all__ = ["report", "summarise"]
