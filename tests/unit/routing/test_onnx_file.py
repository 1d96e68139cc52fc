"""Learned routers as ONNX graphs: read back, they decide as the compiled code does."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from support.learned import RULED
from support.learning import mixed_trace, two_speeds

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.routing import empty_memory
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.routing.learned.features import FEATURES
from workloadlab.routing.learned.network import WAITS
from workloadlab.routing.learned.onnx_file import onnx_inputs, save_onnx
from workloadlab.routing.learned.terms import TERMS

HELD = {**RULED, "hold_ratio": 0.3, "hold_share": 0.05}
FREE = {**RULED, "hold_ratio": -1.0, "hold_wait_s": -1.0}


def weights(rules):
    rng = np.random.default_rng(1)
    return LearnedRouter(rules=rules, body=dict(zip(TERMS, rng.uniform(0.1, 2, 12), strict=True)))


def trees(rules, count=9, levels=4):
    rng, inner = np.random.default_rng(2), count * (2**levels - 1)
    body = {
        "features": list(FEATURES[::-1]), "constant": 0.5, "levels": levels,
        "feature": rng.integers(0, len(FEATURES), inner).tolist(),
        "threshold": rng.exponential(0.2, inner).tolist(),
        "leaf": rng.normal(0, 1, count * 2**levels).tolist(),
    }  # fmt: skip
    return LearnedRouter(form="trees", rules=rules, body=body)


def network(rules, first=9, second=7):
    rng = np.random.default_rng(5)
    count = first * (len(FEATURES) + 1) + second * (first + 1) + 2 * (second + 1)
    weights = rng.normal(0, 0.3, count)
    weights[-second - 1 :] = -0.4  # it seldom waits
    body = {
        "features": list(FEATURES), "units": rng.uniform(0.01, 2, len(FEATURES)).tolist(),
        "hidden": [first, second], "weights": weights.tolist(),
    }  # fmt: skip
    return LearnedRouter(form="network", rules=rules, body=body)


class Both:
    """Chooses as the compiled router, and asks the graph too."""

    uses = ("prefix",)

    def __init__(self, router, path):
        self.router, self.policy = router, router.router()
        self.params, self.memory = np.array(self.policy.params), empty_memory(4)
        self.graph = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.decided, self.different = [], 0

    def choose(self, batch):
        request, instances = batch.requests[0], batch.instances[0]
        self.memory[WAITS] = 0.0  # a request that waits is looked at again each time
        chosen = self.policy.compiled(request, instances, self.params, self.memory)
        able = np.flatnonzero(instances["fits"] == 1)
        score, wait = self.graph.run(
            ["score", "wait"], onnx_inputs(self.router, request, instances[able])
        )
        busy = instances["in_flight"][able].sum() > 0
        waits = np.isinf(score).all() or (busy and wait[0] < score.min())
        said = -1 if waits else int(able[score.argmin()])
        self.decided.append(chosen)
        self.different += said != chosen
        return [chosen]


@pytest.mark.parametrize("made", [weights, trees, network])
def test_the_graph_holds_requests_as_the_compiled_router(tmp_path, made):
    router = made(HELD)
    save_onnx(router, tmp_path / "router.onnx")
    both = Both(router, tmp_path / "router.onnx")
    wl.replay(mixed_trace(700), two_speeds(), routers=[both], rate_scale=10.0)
    assert set(both.decided) == {-1, 0, 1, 2, 3}
    assert both.different == 0


@pytest.mark.parametrize("made", [weights, trees, network])
def test_over_ten_thousand_requests_of_all_forms_every_decision_is_the_same(tmp_path, made):
    router = made(FREE)
    save_onnx(router, tmp_path / "router.onnx")
    both = Both(router, tmp_path / "router.onnx")
    wl.replay(mixed_trace(3_400), two_speeds(), routers=[both], rate_scale=4.0)
    assert len(both.decided) >= 3_400
    assert set(both.decided) >= {0, 1, 2, 3}
    assert both.different == 0


def test_a_heuristic_by_name_has_no_graph(tmp_path):
    with pytest.raises(UsageError, match="has no score of its own"):
        save_onnx(LearnedRouter(form="heuristic", body={"router": "hra"}), tmp_path / "no.onnx")
    assert not (tmp_path / "no.onnx").exists()
