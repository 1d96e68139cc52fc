"""A router for each band of load, in one: it measures the load and lets the router of the band choose.

Load is the rate of arrivals over the rate that saturates the instances that can serve. The rate is
averaged over about a minute of arrivals, r' = r exp(-gap / 60 s) + 1 / 60 s, over how much of that
average there has been so far.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

from workloadlab.routing.compilation import with_all_arguments
from workloadlab.routing.memory import CELLS
from workloadlab.routing.router import DEFER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloadlab.routing.router import Router

__all__ = ["banded", "can_be_banded"]

MEMORY_S = 60.0

_RATE, _LAST, _FIRST, _ROW = CELLS - 4, CELLS - 3, CELLS - 2, CELLS - 1
"""The last of the router's own cells: the decayed rate, the last and first arrival, its row + 1."""

_HEAD = 1


def can_be_banded(policy: Router) -> bool:
    """Say whether a router can stand beside others: it keeps neither memory nor an index of its own."""
    return policy.memory is None and policy.index is None and policy.kind in ("score", "choose")


def banded(
    members: Sequence[Router], edges: Sequence[float], saturation_rps: float
) -> tuple[Callable[..., Any], tuple[float, ...]]:
    """Return the function and the parameters of a router that is one of several, by load.

    Args:
        members: one for each band, from low loads to high ones.
        edges: the loads between them, one fewer.
        saturation_rps: requests/s that saturate one instance of the fastest pool.
    """
    parts = tuple((member.function, member.kind, len(member.params)) for member in members)
    numbers = [saturation_rps, *edges]
    for member in members:
        numbers += member.params
    return _by_load(parts, len(edges)), tuple(numbers)


def load_now(request: Any, instances: Any, saturation_rps: Any, memory: Any) -> float:
    """Return the load by the arrivals so far; a request that waited counts once."""
    if memory[_ROW] == 0.0:
        memory[_FIRST] = memory[_LAST] = request.arrival_s
    if memory[_ROW] != request.row + 1.0:
        gap_s = max(0.0, request.arrival_s - memory[_LAST])
        memory[_RATE] = memory[_RATE] * math.exp(-gap_s / MEMORY_S) + 1.0 / MEMORY_S
        memory[_LAST], memory[_ROW] = request.arrival_s, request.row + 1.0
    speeds = 0.0
    for i in range(len(instances)):
        if instances[i].fits == 1:
            speeds += instances[i].relative_speed
    seen = 1.0 - math.exp(-(memory[_LAST] - memory[_FIRST]) / MEMORY_S)
    known = max(seen, 1.0 / MEMORY_S)
    return float(memory[_RATE] / known / max(saturation_rps * speeds, 1e-12))


@cache
def _by_load(parts: tuple[tuple[Any, str, int], ...], edges: int) -> Callable[..., Any]:
    chosen = _one_of(parts, _HEAD + edges)

    def choose(request: Any, instances: Any, params: Any, memory: Any) -> int:
        load = load_now(request, instances, params[0], memory)
        band = 0
        for k in range(edges):
            if load >= params[_HEAD + k]:
                band = k + 1
        return int(chosen(request, instances, params, memory, band))

    return choose


def _one_of(parts: tuple[tuple[Any, str, int], ...], start: int) -> Callable[..., Any]:
    """Return what calls the router of a band, each with its own part of the parameters."""
    function, kind, count = parts[0]
    first, end = _chooser(function, kind), start + count
    if len(parts) == 1:
        return (
            lambda request, instances, params, memory, band: first(  # noqa: ARG005
                request, instances, params[start:end], memory
            )
        )
    others = _one_of(parts[1:], end)

    def one_of(request: Any, instances: Any, params: Any, memory: Any, band: Any) -> int:
        if band == 0:
            return int(first(request, instances, params[start:end], memory))
        return int(others(request, instances, params, memory, band - 1))

    return one_of


def _chooser(function: Any, kind: Any) -> Callable[..., Any]:
    called = with_all_arguments(function, kind, function)
    if kind == "choose":
        return called

    def lowest(request: Any, instances: Any, params: Any, memory: Any) -> int:
        best, least = DEFER, math.inf
        for i in range(len(instances)):
            if instances[i].fits == 1:
                score = called(request, instances[i], params)
                if score < least or (best < 0 and score == math.inf):
                    best, least = i, score
        return best

    return lowest
