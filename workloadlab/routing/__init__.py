"""The router contract and the routers that ship."""

from workloadlab.routing.batch import Batch, Chooser, as_choices, batch_router, choices_of
from workloadlab.routing.compilation import signatures
from workloadlab.routing.memory import empty_memory, memory_slots, per_instance
from workloadlab.routing.prefix_index import CHARACTERS_PER_TOKEN, PrefixIndex
from workloadlab.routing.registry import SHELF
from workloadlab.routing.requirements import compatible_routers, unmet_need
from workloadlab.routing.resolve import resolve, router
from workloadlab.routing.router import DEFER, Router
from workloadlab.routing.signals import (
    INSTANCE,
    INSTANCE_FIELDS,
    REQUEST,
    REQUEST_FIELDS,
    SIGNALS,
    signals_table,
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
    "router",
    "signals_table",
    "signatures",
    "unmet_need",
]
