"""The compiled prefix index equals the readable one, and keeps its promises, on generated placements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab.errors import UsageError
from workloadlab.latency import LatencyModel
from workloadlab.routing import INSTANCE, SHELF, PrefixIndex
from workloadlab.simulation import Cluster
from workloadlab.simulation.engine.prefix_index import index_insert, index_match
from workloadlab.simulation.engine.setup import lane_arrays
from workloadlab.simulation.reference.prefix_index import IndexByDictionary
from workloadlab.simulation.workload import Workload

SETTINGS = st.builds(
    PrefixIndex,
    kind=st.sampled_from(["table", "tree"]),
    capacity_tokens=st.one_of(
        st.none(), st.just("engine"), st.integers(1, 60), st.integers(60, 400)
    ),
    ttl_s=st.sampled_from([None, None, 0.1, 1.0, 5.0]),
    sweep_s=st.sampled_from([0.0, 0.0, 0.7, 3.0]),
    shared=st.booleans(),
)


@st.composite
def prompts(draw):
    """Prompts over prefix-chained ids; some name fewer blocks than they have, some blocks of output."""
    size = draw(st.sampled_from([0, 1, 4, 16]))
    names, chains, inputs = {}, [], []
    for row in range(draw(st.integers(1, 40))):
        tokens = draw(st.integers(1, 90))
        blocks = draw(st.integers(0, tokens // size + 2)) if size else 0
        shared, family = draw(st.integers(0, blocks)), draw(st.integers(0, 2))
        path = [(family, k) if k < shared else (family, k, row) for k in range(blocks)]
        chains.append([names.setdefault(key, len(names)) for key in path])
        inputs.append(tokens)
    n = len(inputs)
    return Workload(
        np.zeros(n), np.array(inputs), np.ones(n, np.int64), np.full(n, -1), np.full(n, -1),
        np.array([name for chain in chains for name in chain], np.int32),
        np.cumsum([0, *map(len, chains)]), size,
    )  # fmt: skip


class Pair:
    """Both indexes, asked and told the same."""

    def __init__(self, limits, workload, instances):
        guessing = replace(SHELF["random"], index=limits)
        cluster = Cluster.uniform(
            instances, LatencyModel.linear(constant_s=1.0), kv_blocks=10, block_size=16
        )
        self.made = lane_arrays(workload, cluster, guessing, 0)
        self.slow = IndexByDictionary(limits, workload, [160] * instances)
        self.workload = workload
        self.views = self.made.arrays["views"]
        self.made.arrays["queues"]["head"] = 0

    def offer(self, row, now):
        """Put a request at the head of the router's queue; return the lane."""
        slot, first = self.made.arrays["slots"][0], self.workload.first_block
        slot["row"] = row
        slot["input"], slot["first_block"] = self.workload.input_tokens[row], first[row]
        slot["blocks"] = first[row + 1] - first[row]
        self.made.lane["now_s"] = now
        return self.made.lane[0]

    def match(self, row, now):
        """Return the tokens matched and held by instance."""
        expected = np.zeros(len(self.views), INSTANCE).view(np.recarray)
        self.slow.match(expected, row, now)
        index_match(self.offer(row, now))
        for name in ("indexed_tokens", "index_size_tokens"):
            assert self.views[name].tolist() == expected[name].tolist()
        assert self.made.arrays["index_parts"]["tokens"][0, -1] == expected.index_size_tokens.sum()
        return expected.indexed_tokens.tolist(), expected.index_size_tokens.tolist()

    def insert(self, row, instance, now):
        index_insert(self.offer(row, now), self.made.arrays["slots"][0], instance)
        self.slow.insert(row, instance, now)


@settings(max_examples=150, deadline=None)
@given(
    limits=SETTINGS, workload=prompts(), instances=st.sampled_from([1, 2, 3, 3, 70]), data=st.data()
)
def test_the_compiled_index_is_the_readable_one(limits, workload, instances, data):
    pair, now = Pair(limits, workload, instances), 0.0
    for row in range(len(workload)):
        now += data.draw(st.sampled_from([0.0, 0.0, 0.05, 0.4, 2.0]))
        pair.match(row, now)
        pair.insert(row, data.draw(st.integers(0, instances - 1)), now)
        if limits.capacity_tokens is not None and limits.sweep_s == 0:
            sizes = pair.match(row, now)[1]
            most = limits.capacities([160] * instances)[-1 if limits.shared else 0]
            assert (sum if limits.shared else max)(sizes) <= most


def chains(*ids, size=10, rest=3):
    """Prompts of these blocks of ten tokens, each with a rest behind them."""
    return Workload(
        np.zeros(len(ids)), np.array([size * len(chain) + rest for chain in ids]),
        np.ones(len(ids), np.int64), np.full(len(ids), -1), np.full(len(ids), -1),
        np.array([name for chain in ids for name in chain], np.int32),
        np.cumsum([0, *map(len, ids)]), size,
    )  # fmt: skip


def test_the_least_recently_used_and_the_deepest_go_first():
    pair = Pair(PrefixIndex(capacity_tokens=40), chains([0, 1], [2, 3], [4], [0, 1]), 1)
    pair.insert(0, 0, 0.0)
    pair.insert(1, 0, 1.0)
    assert pair.match(0, 1.0)[0] == [20]
    pair.insert(2, 0, 2.0)
    assert pair.match(0, 2.0)[0] == [10]
    pair.insert(3, 0, 3.0)  # back, and now the youngest: prompt 1 loses its deepest block
    assert pair.match(0, 3.0)[0] == [20]
    assert pair.match(1, 3.0)[0] == [10]


def test_a_look_up_does_not_refresh():
    pair = Pair(PrefixIndex(ttl_s=10.0), chains([0, 1], [0, 1], [0, 1]), 2)
    pair.insert(0, 1, 0.0)
    assert pair.match(0, 9.9)[0] == [0, 20]
    assert pair.match(0, 10.0)[0] == [0, 0]
    pair.insert(1, 1, 10.0)
    pair.insert(2, 1, 15.0)
    assert pair.match(0, 24.9)[0] == [0, 20]


def test_a_sweep_comes_at_its_time():
    pair = Pair(PrefixIndex(capacity_tokens=10, sweep_s=30.0), chains([0, 1, 2], [0, 1, 2]), 1)
    pair.insert(0, 0, 1.0)
    assert pair.match(0, 29.9)[0] == [30]
    assert pair.match(0, 30.0)[0] == [10]
    pair.insert(1, 0, 31.0)
    assert pair.match(0, 59.0)[0] == [30]
    assert pair.match(0, 100.0)[0] == [10]


def test_a_shared_capacity_is_that_of_all_instances():
    pair = Pair(PrefixIndex(capacity_tokens=30, shared=True), chains([0, 1], [2, 3]), 2)
    pair.insert(0, 0, 0.0)
    pair.insert(1, 1, 1.0)
    assert pair.match(0, 1.0)[0] == [10, 0]
    assert pair.match(1, 1.0)[0] == [0, 20]


def test_a_tree_counts_the_rest_of_a_prompt_and_a_table_does_not():
    for kind, size in (("tree", 23), ("table", 20)):
        pair = Pair(PrefixIndex(kind=kind), chains([0, 1]), 1)
        pair.insert(0, 0, 0.0)
        assert pair.match(0, 0.0)[1] == [size]


@pytest.mark.parametrize(
    "limits", [{"capacity_tokens": 0}, {"ttl_s": -1.0}, {"sweep_s": -1}, {"kind": "trie"}]
)
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(UsageError):
        PrefixIndex(**limits)
