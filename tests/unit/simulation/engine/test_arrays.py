"""The table of arrays keeps its word: accessors, layouts, forks and copies are as the rows say."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from numba import njit

from workloadlab.latency import LatencyModel
from workloadlab.oracles.fork_kernel import copy_lane
from workloadlab.oracles.forked import forked_lane
from workloadlab.routing import PrefixIndex, router
from workloadlab.simulation import Cluster, Event
from workloadlab.simulation.engine import arrays as table
from workloadlab.simulation.engine import setup as layout
from workloadlab.simulation.engine.arrays import ARRAYS, SIZES, Fork
from workloadlab.simulation.engine.lane import STATUS_DECIDE, run_lane
from workloadlab.simulation.engine.lane_record import ADDRESSES, COMPILED_PARTS, LANE, PARTS
from workloadlab.simulation.engine.lanes.rewards import GO_ON, REWARD, TARGETS, advance_lanes
from workloadlab.simulation.engine.lanes.side_by_side import LaneBatch
from workloadlab.simulation.engine.record_types import PAGE_BITS
from workloadlab.simulation.workload import Workload

REQUESTS = 30


@router(kind="choose", needs={"prefix"}, index=PrefixIndex(kind="tree", capacity_tokens=60))
def by_belief(request, instances, params, memory):
    """Where the index has most of the prompt, in turn from the instance after the last chosen."""
    best, most = -1, -1
    for k in range(len(instances)):
        i = (k + int(memory[0])) % len(instances)
        if instances[i].fits == 1 and instances[i].indexed_tokens > most:
            best, most = i, instances[i].indexed_tokens
    memory[0] = best + 1
    return best


@router(needs={"prefix"})
def by_hits(request, instance):
    hits = request.input_tokens - instance.cached_tokens + 10 * instance.in_flight
    return hits + 0.1 * instance.output_tokens_left


def crowd(*, closed=False):
    """Prompts of three families that begin alike; each block id on a page of its own."""
    rng = np.random.default_rng(5)
    blocks, family = rng.integers(1, 13, REQUESTS), rng.integers(0, 3, REQUESTS)
    named = blocks + blocks % 2  # those of some outputs too
    names = [40 * (f + 1) + np.arange(b) for f, b in zip(family, named, strict=True)]
    turns = np.arange(1, REQUESTS + 1)
    turns[9::10] = -1
    return Workload(
        np.cumsum(rng.exponential(0.3, REQUESTS)), 2 * blocks + rng.integers(0, 2, REQUESTS),
        rng.integers(1, 8, REQUESTS), np.full(REQUESTS, -1), np.full(REQUESTS, -1),
        np.concatenate(names).astype(np.int32) << PAGE_BITS, np.cumsum([0, *named]), 2,
        next_turn=turns if closed else np.full(REQUESTS, -1), think_s=np.full(REQUESTS, 0.1),
    )  # fmt: skip


def cluster(**pool):
    """Instances that must evict and preempt, with reports on their way to two routers."""
    model = LatencyModel.linear(constant_s=0.1, prefill_token_s=1e-2, decode_seq_s=1e-2)
    return Cluster.uniform(
        3, model, kv_blocks=20, block_size=2, prefix_caching=True,
        signal_interval_s=0.3, signal_delay_s=0.7, replicas=2, **pool,
    )  # fmt: skip


SCENES = {
    "a choosing router with an index": ({}, by_belief, {}),
    "a scoring router that sees caches": ({}, by_hits, {}),
    "a closed loop": ({"closed": True}, by_hits, {}),
    "with records": ({}, by_hits, {"recorded_steps": 500, "recorded_decisions": 50}),
}


@pytest.fixture(params=SCENES.values(), ids=SCENES)
def scene(request, monkeypatch):
    """A lane of each kind that has not begun; together they use all arrays."""
    monkeypatch.setattr(layout, "FEWEST_WITH_BITS", 1)
    load, policy, room = request.param
    return layout.lane_arrays(crowd(**load), cluster(), policy, 0, **room)


def parts(array):
    return array.reshape(-1).view(np.uint8)


def content(array):
    """The bytes of an array without those between its fields, which no copy keeps."""
    fields = [array[name] for name in array.dtype.names] if array.dtype.names else [array]
    return b"".join(field.tobytes() for field in fields)


def differing(made, other, names=ARRAYS):
    return [name for name in names if content(made.arrays[name]) != content(other.arrays[name])]


def advance(made, choice):
    """Run a lane that made its choice to its next decision; say whether it stands at one."""
    status = np.zeros(1, np.int64)
    advance_lanes(
        made.lane, np.zeros(1, np.int64), np.array([choice]), status, np.zeros(1, REWARD),
        np.full(3, np.inf).view(TARGETS),
    )  # fmt: skip
    return status[0] == STATUS_DECIDE


def decisions(made, rng):
    """Stop at every decision; choose at random among the instances that may be chosen."""
    choice = GO_ON
    while advance(made, choice):
        yield np.flatnonzero(made.arrays["views"]["fits"]).tolist()
        choice = int(rng.choice(np.flatnonzero(made.arrays["views"]["fits"])))


@njit(_nrt=False)
def stand(lanes, forks, state, forked, ahead):
    copy_lane(lanes[0], forks[0], state, forked, ahead)


def test_a_lane_is_laid_out_as_the_rows_say(scene):
    assert set(scene.arrays) == set(ARRAYS)
    for name, row in ARRAYS.items():
        array, record = scene.arrays[name], scene.lane[0]
        shape = tuple(record[size] if isinstance(size, str) else size for size in row.shape)
        assert (array.dtype, array.shape) == (row.element, shape), name
        assert array.flags.c_contiguous, name
        assert record[name] == array.ctypes.data, name


def test_the_scenes_use_all_arrays():
    used = set()
    for (load, policy, room), events in product(SCENES.values(), ((), EVENTFUL)):
        among = replace(cluster(), events=events)
        made = layout.lane_arrays(crowd(**load), among, policy, 0, **room)
        used |= {name for name, array in made.arrays.items() if array.size}
    assert used == set(ARRAYS) - {"params"}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_accessor_finds_its_array(name):
    accessor = getattr(table, name)

    @njit(_nrt=False)
    def found(lanes):
        array = accessor(lanes[0])
        return array.ctypes.data, array.shape, array.itemsize

    made = layout.lane_arrays(crowd(), cluster(), by_belief, 0)
    array, first = made.arrays[name], slice(not ARRAYS[name].measured, None)
    address, shape, size = found(made.lane)
    assert (address, shape[first], size) == (array.ctypes.data, array.shape[first], array.itemsize)


@pytest.mark.parametrize("limit", [None, 400])
@pytest.mark.parametrize("named", [True, False])
def test_blocks_are_cached_only_where_somebody_can_find_them(named, limit):
    """In a log without prefixes only who was preempted can, and with all the memory nobody is."""
    load = (
        crowd()
        if named
        else replace(
            crowd(), block_ids=np.zeros(0, np.int32), first_block=np.zeros(REQUESTS + 1, np.int64)
        )
    )
    among = Cluster(pools=[replace(cluster().pools[0], kv_blocks=limit)])
    made = layout.lane_arrays(load, among, by_belief, 0)
    assert made.arrays["engines"]["caching"].tolist() == 3 * [named or limit is not None]


def test_the_record_has_the_addresses_first_and_each_size_once():
    assert list(LANE.names[: len(ADDRESSES)]) == list(ADDRESSES)
    assert len(set(LANE.names)) == len(LANE.names)
    assert set(SIZES) < set(LANE.names)


EVENTFUL = [Event(at_s=1.0, kind="drain", instance="pool/0")]


def test_every_part_of_the_engine_is_compiled():
    made = layout.lane_arrays(crowd(), replace(cluster(), events=EVENTFUL), by_belief, 0)
    assert set(COMPILED_PARTS) == set(PARTS)
    assert all(made.lane[name][0] for name in PARTS)


def test_a_lane_has_the_parts_that_it_may_call(scene):
    absent = {"handle_events"}
    if not scene.lane["guesses"][0]:
        absent |= {"index_match", "index_insert"}
    assert {name for name in PARTS if not scene.lane[name][0]} == absent


def test_kernels_write_no_array_that_is_only_read(scene):
    before = {name: content(array) for name, array in scene.arrays.items()}
    run_lane(scene.lane)
    changed = {name for name, array in scene.arrays.items() if content(array) != before[name]}
    assert "results" in changed
    assert not [name for name in changed if not ARRAYS[name].written]


def test_a_copy_is_like_its_origin_at_any_moment_and_goes_on_alike(scene):
    rng, moments = np.random.default_rng(1), 0
    for able in decisions(scene, rng):
        moments += 1
        twins = scene.copy(), scene.copy()
        for twin in twins:
            assert not differing(scene, twin)
            advance(twin, able[0])
            run_lane(twin.lane)
        assert not differing(*twins)
    assert moments == REQUESTS


@pytest.mark.parametrize("name", [name for name, row in ARRAYS.items() if row.written])
def test_what_is_written_in_a_copy_is_not_written_in_its_origin(scene, name):
    copy = scene.copy()
    for written, other in ((copy, scene), (scene, copy)):
        before = other.arrays[name].tobytes()
        parts(written.arrays[name])[:] ^= 255
        assert other.arrays[name].tobytes() == before
        parts(written.arrays[name])[:] ^= 255


def test_rows_of_lanes_side_by_side_lie_apart():
    lanes = LaneBatch(cluster(), by_belief, 3, threads=1)
    opening = lanes.prepare(crowd())
    spans = []
    for k in range(3):
        lanes.load(k, opening, seed=k)
        for name, row in ARRAYS.items():
            if row.written and (size := opening.sizes[name]):
                spans.append((int(lanes.lanes[name][k]), int(lanes.lanes[name][k]) + size))
            elif not row.written:
                assert lanes.lanes[name][k] == opening.arrays[name].ctypes.data, name
    spans.sort()
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def live(made, last):
    """Parts of the arrays that belong to requests which are live or among the next up to `last`."""
    slots = made.arrays["slots"][: made.lane["used_slots"][0]]
    rows = [*slots["row"], *range(made.lane["arrived"][0], last)]
    blocks = [
        at for s in slots for at in range(s["first_block"], s["first_block"] + s["cached_blocks"])
    ]
    return {
        "slots": content(slots),
        "results": content(made.arrays["results"][rows]),
        "uses": content(made.arrays["uses"][blocks]),
    }


@pytest.mark.parametrize("ahead", [0, 4])
@pytest.mark.parametrize("policy", [by_belief, by_hits], ids=lambda policy: policy.name)
def test_a_fork_stands_where_its_lane_does_whatever_it_wrote(policy, ahead, monkeypatch):
    monkeypatch.setattr(layout, "FEWEST_WITH_BITS", 1)
    two = forked_lane(crowd(), cluster(), policy, 0)
    lane, fork = two.lane, two.fork
    kinds = {kind: [n for n, row in ARRAYS.items() if row.fork is kind] for kind in Fork}
    for name in kinds[Fork.NOTHING]:
        assert lane.arrays[name].size == 0, name
    written = set()
    for able in decisions(lane, np.random.default_rng(2)):
        for tried in able:
            stand(lane.lane, fork.lane, two.state, two.forked, ahead)
            last = min(REQUESTS, int(lane.lane["arrived"][0]) + ahead)
            assert not differing(lane, fork, kinds[Fork.WHOLE] + kinds[Fork.PAGES])
            assert set(live(lane, last)) == set(kinds[Fork.LIVE])
            assert live(lane, last) == live(fork, last)
            before = lane.copy()
            advance(fork, tried)
            run_lane(fork.lane)
            written |= set(differing(lane, fork))
            assert differing(before, lane) in ([], kinds[Fork.NOTES])
    expected = {"engines", "cache", "prefix_bits", "slots", "results", "views"}
    if policy is by_belief:
        expected |= {"index_prompts", "index_parts", "index_buckets"}
        expected |= {"memory"} if ahead else set()  # without more arrivals nothing is chosen
    assert written >= expected


def test_a_fork_shares_what_it_only_reads_and_what_both_note_in():
    two = forked_lane(crowd(), cluster(), by_belief, 0)
    for name, row in ARRAYS.items():
        shared = two.lane.arrays[name] is two.fork.arrays[name]
        assert shared == (row.fork in (Fork.READ, Fork.NOTES)), name


def test_to_import_the_simulator_takes_no_compiler():
    """Numba is loaded when a replay begins, not to describe a cluster."""
    code = "import sys, workloadlab.simulation, workloadlab.oracles; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
