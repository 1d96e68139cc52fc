"""Workloads as the engines take them: arrays of requests, made at random or drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from workloadlab.simulation.workload import Workload

__all__ = ["blocks_of", "chained", "crowd", "requests", "workloads"]


def requests(arrival_s: Any, input_tokens: Any, output_tokens: Any, **more: Any) -> Workload:
    """Return a workload without sessions or predictions, unless those are given."""
    n = len(arrival_s)
    given = {"predicted_tokens": np.full(n, -1), "session": np.full(n, -1)} | more
    return Workload(
        np.asarray(arrival_s, float), np.asarray(input_tokens), np.asarray(output_tokens), **given
    )


def blocks_of(chains: list[list[int]], size: int) -> dict[str, Any]:
    """Return the columns of a workload that say which blocks each request has, in order.

    Example:
        >>> blocks_of([[7, 8], [7]], size=16)["first_block"].tolist()
        [0, 2, 3]
    """
    return {
        "block_ids": np.array([name for chain in chains for name in chain], np.int32),
        "first_block": np.cumsum([0, *map(len, chains)]),
        "block_size": size,
    }


def crowd(n: int, *, seed: int, output: int = 40) -> Workload:
    """Return requests of all lengths, all within two seconds."""
    rng = np.random.default_rng(seed)
    return requests(
        np.sort(rng.uniform(0, 2, n)), rng.integers(1, 200, n), rng.integers(1, output, n)
    )


def chained(n: int, size: int, *, seed: int) -> Workload:
    """Return requests of four families, each with a random share of the blocks of its family."""
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(1, 120, n), rng.integers(1, 30, n)
    families = rng.integers(0, 4, n)
    chains = []
    for row in range(n):
        blocks = int(inputs[row] + outputs[row] - 1) // size
        shared = int(rng.integers(0, blocks + 1))
        chains.append([
            int(families[row]) * 20 + k if k < shared else 80 + row * 20 + k for k in range(blocks)
        ])  # fmt: skip
    return requests(np.sort(rng.uniform(0, 6, n)), inputs, outputs, **blocks_of(chains, size))


@st.composite
def workloads(draw: st.DrawFn) -> tuple[int, Workload]:
    """Draw a block size and up to forty requests: bursts and gaps, sessions, shared prefixes."""
    n = draw(st.integers(1, 40))
    longest = draw(st.sampled_from([1, 4, 40, 300]))
    gaps = draw(
        st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.013, 0.25, 3.0]), min_size=n, max_size=n)
    )
    lengths = st.lists(st.integers(1, longest), min_size=n, max_size=n)
    outputs = st.lists(st.integers(1, min(longest, 60)), min_size=n, max_size=n)
    predicted = st.lists(st.integers(-1, 50), min_size=n, max_size=n)
    inputs, outputs = np.array(draw(lengths)), np.array(draw(outputs))
    block_size = draw(st.sampled_from([1, 2, 3, 16]))
    chains = chained_ids(draw, (inputs + outputs - 1) // block_size)
    return block_size, Workload(
        arrival_s=np.cumsum(gaps),
        input_tokens=inputs,
        output_tokens=outputs,
        predicted_tokens=np.array(draw(predicted)),
        session=np.full(n, -1),
        **blocks_of(chains, block_size),
        model=np.array(draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n))),
        models=("a", "b"),
        **{
            name: np.array(draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)))
            for name in ("priority", "slo_class", "tenant")
        },
        **draw(st.one_of(st.just({}), turns(n))),
    )


@st.composite
def turns(draw: st.DrawFn, n: int) -> dict[str, Any]:
    """Chain some rows into closed-loop sessions."""
    next_turn, think = np.full(n, -1), np.zeros(n)
    last: dict[int, int] = {}
    for row in range(n):
        session = draw(st.integers(0, 3))
        if session in last and draw(st.booleans()):
            next_turn[last[session]] = row
            think[row] = draw(st.sampled_from([0.0, 0.0, 0.02, 1.0]))
        last[session] = row
    return {"next_turn": next_turn, "think_s": think}


def chained_ids(draw: st.DrawFn, most: Any) -> list[list[int]]:
    """Name the blocks of each request; an id stands for its whole prefix, requests share prefixes."""
    names: dict[tuple[int, ...], int] = {}
    chains = []
    for blocks in most:
        family = draw(st.integers(0, 2))
        shared = draw(st.integers(0, int(blocks)))
        path = [(family, k) for k in range(shared)]
        path += [(family, k, len(chains)) for k in range(shared, int(blocks))]
        chains.append([names.setdefault(key, len(names)) for key in path])
    return chains
