"""A trace of any size, measured part by part: memory follows what the parts leave, not the rows.

Start with `plan.py`: `make_plan` reads the footers of a trace's files and cuts it into parts.
`measure.py` turns one part into a `Partial` and two of them into one: integers only, so that neither
order nor grouping changes a byte. `facts/` makes the topics of a profile of the whole, by the code that
measures rows; `finish.py` says what is then estimated. A part's rows come from `reading.py`; the other
files count them. Sessions and blocks lie anywhere: `session_topics.py` and `prefix/` have their rows
brought together on disk; `in_flight.py` meets requests in one order, beside the parts.

On many machines: `make_plan(trace)` everywhere, `measure(plan, place)` anywhere, `to_bytes` in between,
`merge` in any order, and `characterize.finish`, one floor up.
To add a quantity: count it in a tally, give its rule in that file's `RULES`, read it in `facts/`.
"""

from workloadlab.characterization.bounded.finish import ESTIMATES, Estimate, measured_topics
from workloadlab.characterization.bounded.in_flight import concurrency_of
from workloadlab.characterization.bounded.measure import measure, merge, merge_all
from workloadlab.characterization.bounded.partial import Partial
from workloadlab.characterization.bounded.plan import PART_ROWS, Part, Plan, make_plan

__all__ = [
    "ESTIMATES",
    "PART_ROWS",
    "Estimate",
    "Part",
    "Partial",
    "Plan",
    "concurrency_of",
    "make_plan",
    "measure",
    "measured_topics",
    "merge",
    "merge_all",
]
