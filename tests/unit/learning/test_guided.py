"""Learning by reward: gradients, what a memory draws, how guidance fades, and a network that decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.learning import mixed_trace, two_speeds

import workloadlab as wl
from workloadlab.learning import guided
from workloadlab.learning.guided import DISCOUNT, GUIDANCE, learn_by_reward, router_of
from workloadlab.learning.network import Network
from workloadlab.learning.problem import stated
from workloadlab.routing.learned.features import FEATURES
from workloadlab.simulation.metrics import Targets

SMALL = {"STEPS": 40, "LANES": 2, "BATCH": 64, "COPY_EVERY": 10}


@pytest.fixture(scope="module")
def problem():
    return stated(
        mixed_trace(400), two_speeds(), objective="balanced", loads=[0.9], targets=Targets()
    )


@pytest.fixture
def small(monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(guided, name, value)


def test_gradients_are_those_of_differences():
    network, rng = Network((5, 4, 3, 2), 1), np.random.default_rng(0)
    network.layers = [rng.normal(size=layer.shape) for layer in network.layers]
    inputs, aims = rng.normal(size=(9, 5)), rng.normal(size=(9, 2))

    def loss():
        return float(((network(inputs) - aims) ** 2).sum())

    found = network.gradients(inputs, lambda out: 2 * (out - aims))
    for layer, slopes in zip(network.layers, found, strict=True):
        for at in np.ndindex(layer.shape):
            before, small = layer[at], 1e-6
            layer[at] = before + small
            above = loss()
            layer[at] = before - small
            below = loss()
            layer[at] = before
            assert slopes[at] == pytest.approx((above - below) / (2 * small), abs=1e-4, rel=1e-4)


def test_it_learns_a_curve():
    network, rng = Network((1, 16, 16, 1), 0), np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (200, 1)).astype(np.float32)
    aims = np.abs(inputs)
    for _ in range(400):
        network.descend(network.gradients(inputs, lambda out: (out - aims) / len(aims)), 0.01)
    assert float(np.abs(network(inputs) - aims).max()) < 0.1


def test_guidance_fades_while_the_discount_grows():
    assert GUIDANCE["none"](5) == (DISCOUNT, 0.0)
    assert GUIDANCE["fixed"](5) == (DISCOUNT, 1.0)
    pairs = [GUIDANCE["fading"](number) for number in (1, 2, 30)]
    assert [sum(pair) for pair in pairs] == pytest.approx([DISCOUNT] * 3)
    assert pairs[0][0] < pairs[1][0] < pairs[2][0] == pytest.approx(DISCOUNT, abs=1e-5)


def test_what_is_drawn_was_followed_by_a_decision_of_its_lane(small, problem):
    cell = problem.training[0]
    gradients = guided.gradients_of(problem.cluster)
    lanes = guided._Lanes(cell, gradients, 0)
    kept, rng = guided._Memory.of(cell.instances), np.random.default_rng(0)
    params = np.array(router_of(Network((len(FEATURES), 64, 64, 3), 0), gradients).router().params)
    while kept.count < 300:
        lanes.step(kept, params, rng, 0.5, 1.0)
    at, then = kept.drawn(rng)
    assert len(at) > 30
    assert (then > at).all()
    assert (kept.now_s[then] >= kept.now_s[at]).all()
    rows = np.arange(kept.count)
    assert kept.able[rows, kept.choice[rows]].all()
    waits = kept.choice[: kept.count] == cell.instances
    assert 0 < waits.mean() < 0.9
    assert (kept.reward[: kept.count][waits] >= 0).all()
    assert kept.reward[: kept.count].max() > 0


def test_the_state_shown_to_the_network_is_that_of_the_compiled_router(small, problem):
    """The network in numpy ranks the choices of a state as the compiled router decided them."""
    cell, gradients = problem.training[0], guided.gradients_of(problem.cluster)
    chosen = set()
    for seed in range(3, 8):
        lanes, network = (
            guided._Lanes(cell, gradients, 0),
            Network((len(FEATURES), 64, 64, 3), seed),
        )
        network.layers[-1] *= 30
        kept, rng = guided._Memory.of(cell.instances), np.random.default_rng(0)
        params = np.array(router_of(network, gradients).router().params)
        while kept.count < 100:
            lanes.step(kept, params, rng, 0.0, 0.0)
        rows = slice(0, kept.count)
        values = guided._values(network, kept.inputs[rows], kept.able[rows])
        agree = values.argmax(1) == kept.choice[rows]
        assert agree.mean() > 0.97  # but for ties that 4-byte numbers round otherwise
        chosen |= set(kept.choice[rows].tolist())
    assert len(chosen) > 3


def test_a_training_says_how_it_goes_and_keeps_its_best(small, problem):
    said = []
    spoken = replace(problem, say=said.append)
    found = learn_by_reward(spoken, generations=3, seed=1)
    again = learn_by_reward(problem, generations=3, seed=1)
    assert found.router.to_dict() == again.router.to_dict()
    assert found.router.form == "network"
    assert found.selection == min(selected for selected, _ in found.curve)
    assert "workload_guided, seed 1, round 3 of 3" in said[-1]
    other = learn_by_reward(problem, generations=3, seed=1, guidance="none")
    assert other.router.to_dict() != found.router.to_dict()


def test_train_returns_it_or_the_heuristic(small):
    router = wl.train(
        mixed_trace(400), two_speeds(), method="workload_guided", loads=[0.9], seeds=1,
        generations=1,
    )  # fmt: skip
    assert router.form in ("network", "heuristic")
    assert router.provenance["method"] == "workload_guided"
