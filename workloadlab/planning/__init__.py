"""A trace, a cluster and a service level to a number of instances, with its cost and how sure it is.

Start with `plan.py`, which asks the questions in their order; then `question.py`, one of them: does
the pool hold these requests with n instances? `search.py` finds the least n that does, `windows.py`
cuts the trace into hours, `prices.py` reads `prices.toml`, `answer.py` holds what comes out, in
words and JSON, and `tables.py` its tables. To add a GPU's price, add its row to `prices.toml`.
"""

from workloadlab.planning.answer import Plan
from workloadlab.planning.facts import HourPlan, RouterPlan, WhatIf
from workloadlab.planning.mixes import Mix, Mixes, mixes
from workloadlab.planning.plan import plan
from workloadlab.planning.prices import Price, load_prices, rent_of
from workloadlab.planning.question import Trial

__all__ = [
    "HourPlan",
    "Mix",
    "Mixes",
    "Plan",
    "Price",
    "RouterPlan",
    "Trial",
    "WhatIf",
    "load_prices",
    "mixes",
    "plan",
    "rent_of",
]
