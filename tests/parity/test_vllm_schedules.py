"""Both engines form the batches of vLLM's own scheduler, step for step: see `vllm/record.py`."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from support.vllm_scenes import KINDS, PER_KIND, scenes
from support.vllm_schedules import PACKED, pack, unpack

from workloadlab.latency import LatencyModel
from workloadlab.routing import SHELF
from workloadlab.simulation import Cluster, Pool
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.recording import recorder_for
from workloadlab.simulation.reference import batch_formation
from workloadlab.simulation.reference.instance import Engine
from workloadlab.simulation.reference.lane import replay_by_steps
from workloadlab.simulation.workload import Workload

ROUTER = SHELF["round_robin"]
TIMES = ("scheduled_s", "first_token_s", "end_s")


@cache
def recorded(kind):
    return [scene for scene in unpack()["scenes"] if scene["kind"] == kind]


def laid_out(scene):
    """Return a scene as both engines take it."""
    requests, caching = scene["requests"], scene["pool"]["prefix_caching"]
    per_token_s = scene["per_token_s"]
    pool = Pool(
        latency=LatencyModel.linear(
            constant_s=1.0, prefill_token_s=per_token_s, decode_seq_s=per_token_s
        ),
        step_overhead_s=0.0,
        **scene["pool"],
    )
    ids = [request["ids"] if caching else [] for request in requests]
    return Cluster(pools=(pool,)), Workload(
        arrival_s=np.array([request["arrival_s"] for request in requests]),
        input_tokens=np.array([request["prompt"] for request in requests]),
        output_tokens=np.array([request["output"] for request in requests]),
        predicted_tokens=np.full(len(requests), -1),
        session=np.full(len(requests), -1),
        priority=np.array([request["priority"] for request in requests]),
        block_ids=np.array([name for some in ids for name in some], np.int32),
        first_block=np.cumsum([0, *map(len, ids)]),
        block_size=scene["pool"]["block_size"] if caching else 0,
    )


def steps_of_the_readable_engine(scene, monkeypatch):
    """Return the outcome, and the steps as they are recorded of vLLM."""
    steps, gone, begin, form = [], {}, Engine.begin, batch_formation.form

    def noted_form(engine, *, late):
        gone["before"] = engine.outcome.preemptions.copy()
        form(engine, late=late)

    def noted_begin(engine, fullest):
        seconds = begin(engine, fullest)
        work = sorted([s.row, tokens, s.computed] for s, tokens in engine.batch)
        preempted = np.flatnonzero(engine.outcome.preemptions > gone["before"])
        steps.append([engine.now, work, preempted.tolist()])
        return seconds

    monkeypatch.setattr(batch_formation, "form", noted_form)
    monkeypatch.setattr(Engine, "begin", noted_begin)
    cluster, workload = laid_out(scene)
    return replay_by_steps(workload, cluster, ROUTER, 0), steps


def assert_as_recorded(outcome, facts, name):
    """Compare all moments, cached tokens and preemptions; who was refused has none of them."""
    for key in TIMES:
        expected = np.array(facts[key], float)
        np.testing.assert_allclose(
            getattr(outcome, key), expected, rtol=0, atol=1e-6, err_msg=f"{name}: {key}"
        )
    cached = [tokens or 0 for tokens in facts["cached_tokens"]]
    assert outcome.cached_tokens.tolist() == cached, name
    assert outcome.preemptions.tolist() == facts["preemptions"], name


@pytest.mark.parametrize("kind", KINDS)
def test_the_readable_engine_forms_the_batches_of_vllm(kind, monkeypatch):
    for number, scene in enumerate(recorded(kind)):
        outcome, steps = steps_of_the_readable_engine(scene, monkeypatch)
        facts, name = scene["facts"], f"scene {number}, {scene['pool']}"
        assert len(steps) == len(facts["steps"]), name
        for mine, step in zip(steps, facts["steps"], strict=True):
            assert mine[0] == pytest.approx(step[0], abs=1e-6), name
            assert mine[1:] == step[1:], (name, step[0])
        assert_as_recorded(outcome, facts, name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_engine_forms_the_batches_of_vllm(kind):
    """It counts decodes, so a step is held to its start, its tokens and their contexts."""
    for number, scene in enumerate(recorded(kind)):
        cluster, workload = laid_out(scene)
        facts, name = scene["facts"], f"scene {number}, {scene['pool']}"
        recorder = recorder_for(["steps"])
        outcome = replay_lane(workload, cluster, ROUTER, 0, recorder)
        steps = recorder.frames(cluster, outcome)["steps"]
        found = np.array([
            steps["start_ns"] / 1e9,
            steps["prefill_tokens"] + steps["decode_seqs"],
            steps["prefill_context_tokens"] + steps["decode_context_tokens"],
        ])  # fmt: skip
        expected = np.array([
            (start_s, sum(n for _, n, _ in work), sum(n * before for _, n, before in work))
            for start_s, work, _ in facts["steps"]
        ]).reshape(-1, 3).T  # fmt: skip
        assert found.shape == expected.shape, name
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6, err_msg=name)
        assert_as_recorded(outcome, facts, name)
        in_jumps = replay_lane(workload, cluster, ROUTER, 0)
        assert_as_recorded(in_jumps, facts, name)


def test_the_recording_is_of_the_scenes_as_they_are_drawn():
    made = unpack()
    assert made["vllm"] == "0.33.0"
    assert [{**scene, "facts": None} for scene in made["scenes"]] == [
        {**scene, "facts": None} for scene in scenes()
    ]
    assert len(made["scenes"]) == PER_KIND * len(KINDS) == 360


def test_every_kind_shows_what_it_is_for():
    """A recording in which nothing is preempted, cached or refused could not tell engines apart."""
    facts = {kind: [scene["facts"] for scene in recorded(kind)] for kind in KINDS}

    def total(kind, name):
        return sum(sum(value or 0 for value in scene[name]) for scene in facts[kind])

    for kind in KINDS:
        words = kind.split()
        if "prefix" in words:
            assert total(kind, "cached_tokens") > 0, kind
        if "tight" in words:
            assert total(kind, "preemptions") > 0, kind
        if "length" in words:
            assert any(None in scene["end_s"] for scene in facts[kind]), kind
        else:
            assert not any(None in scene["end_s"] for scene in facts[kind]), kind


def test_the_same_facts_are_packed_into_the_same_bytes():
    assert pack(unpack()) == PACKED.read_bytes()
    assert PACKED.stat().st_size < 1_000_000
