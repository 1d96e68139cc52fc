"""The router contract, and the routers that ship; nothing here knows of the simulator.

A router is a plain function over records: it scores one instance, or chooses among all, or defers.
Start with `signals.py`: everything that a router may see; then `router.py`: how a function becomes
a router, what it may need and what it may tune; then `families/shortest_queue.py`, the plainest
family. `registry.py` turns a name into a router, `compilation.py` makes machine code of one,
`requirements.py` refuses a trace that lacks what one needs, and `batch.py` is for Python objects
that decide for many lanes. To add a router, write it in a file of `families/`; to add a signal, add
its row to `signals.py`.
"""

from workloadlab.routing.batch import Batch, Chooser, as_choices, batch_router, choices_of
from workloadlab.routing.memory import empty_memory, memory_slots, per_instance
from workloadlab.routing.prefix_index import CHARACTERS_PER_TOKEN, PrefixIndex
from workloadlab.routing.registry import SHELF
from workloadlab.routing.requirements import compatible_routers, unmet_need
from workloadlab.routing.resolve import resolve, resolve_all, router
from workloadlab.routing.router import DEFER, Router
from workloadlab.routing.signals import (
    INSTANCE,
    INSTANCE_FIELDS,
    REQUEST,
    REQUEST_FIELDS,
    SIGNALS,
    signals_table,
    signatures,
)

__all__ = [
    "CHARACTERS_PER_TOKEN",
    "DEFER",
    "INSTANCE",
    "INSTANCE_FIELDS",
    "REQUEST",
    "REQUEST_FIELDS",
    "SHELF",
    "SIGNALS",
    "Batch",
    "Chooser",
    "PrefixIndex",
    "Router",
    "as_choices",
    "batch_router",
    "choices_of",
    "compatible_routers",
    "empty_memory",
    "memory_slots",
    "per_instance",
    "resolve",
    "resolve_all",
    "router",
    "signals_table",
    "signatures",
    "unmet_need",
]
