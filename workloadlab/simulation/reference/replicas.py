"""One replica of the router in the readable engine: all that it has and knows by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.routing import empty_memory
from workloadlab.simulation.reference.prefix_index import IndexByDictionary

if TYPE_CHECKING:
    from workloadlab.routing import Router
    from workloadlab.simulation.workload import Workload

__all__ = ["Replica", "memories_of"]


@dataclass
class Replica:
    """A queue, a memory, an index, and what was sent to each instance: requests and prompt tokens.

    `told` is what it had sent when the report that it sees was taken, by instance; `then` the same for
    every report that was taken. Until `busy_s` it decides on others.
    """

    memory: Any
    index: IndexByDictionary | None
    sent: list[tuple[int, int]]
    held: list[int] = field(default_factory=list)
    busy_s: float = 0.0
    then: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    told: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.told = list(self.sent)

    @classmethod
    def of(cls, policy: Router, workload: Workload, engine_tokens: list[int]) -> Replica:
        """Make one that has seen nothing; instances hold so many tokens each."""
        index, count = None, len(engine_tokens)
        if policy.index is not None:
            index = IndexByDictionary(policy.index, workload, engine_tokens)
        return cls(empty_memory(count), index, [(0, 0)] * count)

    def count(self, instance: int, tokens: int) -> None:
        """Count a request that goes to an instance."""
        requests, before = self.sent[instance]
        self.sent[instance] = requests + 1, before + tokens

    def since_report(self, instance: int) -> tuple[int, int]:
        """Return the requests and tokens that it sent to an instance since the report."""
        (requests, tokens), (known, known_tokens) = self.sent[instance], self.told[instance]
        return requests - known, tokens - known_tokens


def memories_of(replicas: list[Replica], policy: Router) -> Any:
    """Return what each replica remembers, (replicas, cells); one that scores has no cells."""
    if policy.kind != "choose":
        return np.zeros((len(replicas), 0))
    return np.array([replica.memory for replica in replicas])
