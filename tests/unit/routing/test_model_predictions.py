"""Routers that predict with a fitted model: decisions by hand, and how the model is named."""

from __future__ import annotations

import numpy as np
import pytest
from support.latency_models import stump
from support.traces import requests_every

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.latency import LatencyModel, RequestModel
from workloadlab.latency.requests.rows import REQUEST_FEATURES
from workloadlab.routing import INSTANCE, REQUEST, empty_memory
from workloadlab.routing.families.model_predictions import SIGNALS

TOKENS = LatencyModel.linear(prefill_token_s=1.0, decode_seq_s=1.0, prefill_context_s=0.5)
CLEAN = {"step_tokens": 60, "step_overhead_s": 0}
SLOW = LatencyModel.linear(prefill_token_s=0.01, decode_seq_s=0.01)
TARGETS = {"ttft_slo_s": 2, "tpot_slo_s": 0.05, "step_overhead_s": 0}


def quantiles(ttft, tpot, features):
    """TTFT and TPOT step up at a value of a feature; the 0.9 quantile is twice the median."""
    (i, at, low, high), (j, later, short, long) = ttft, tpot
    return RequestModel(
        name="stumps",
        features=features,
        coefficients={
            "ttft_s": {"0.5": stump(i, at, low, high), "0.9": stump(i, at, 2 * low, 2 * high)},
            "tpot_s": {"0.5": stump(j, later, short, long), "0.9": stump(j, later, 2 * short, 2 * long)},
        },
    )  # fmt: skip


QUEUE = quantiles((1, 3, 1, 5), (0, 8, 0.1, 0.3), ("running", "waiting"))
RATES = quantiles((1, 0.4, 5, 1), (0, 0.5, 0.1, 0.3), ("kv_usage", "cached_share"))
TOKENS_AHEAD = quantiles((0, 500, 1, 5), (1, 70, 0.1, 0.3),
                         ("prefill_tokens_in_flight", "decode_tokens_in_flight"))  # fmt: skip
PROMPT = quantiles((0, 100, 1, 5), (0, 100, 0.1, 0.3), ("input_tokens",))

SCENES = [  # a request of 100 tokens that will yield 10
    ("predicted_latency", TOKENS, 0, 2, {}),
    # two steps of 60 and 40 tokens, the last before 60: 100 + 0.5 x 40 x 60 + 10, against 1 more each
    ("predicted_latency", TOKENS, 0, 2, {"running": [0, 1]}),
    # the queue adds a token of prefill (1 + 0.5 x 59 of context), or a sequence to every decode (10)
    ("predicted_latency", TOKENS, 1, 2, {"queued_tokens": [1, 0], "waiting": [0, 1]}),
    # 50 cached tokens: 50 + 0.5 x 50 x 50 + 10, which ties with 100 + 0.5 x 40 x 60 + 10
    ("predicted_latency", TOKENS, 0, 2, {"indexed_tokens": [0, 50]}),
    ("predicted_latency", TOKENS, 1, 2, {"indexed_tokens": [0, 51]}),
    ("predicted_latency", TOKENS, 1, 2, {"sent_tokens_since_report": [60, 0]}),
    # 60 more tokens are a step more: 60 here, 2 running over 3 steps and 10 decodes there
    ("predicted_latency", TOKENS, 1, 2, {"sent_tokens_since_report": [60, 0], "running": [0, 4]}),
    ("predicted_latency", TOKENS, 0, 2, {"sent_tokens_since_report": [60, 0], "running": [0, 6]}),
    ("predicted_latency", TOKENS, 0, 1, {"running": 9}),
    ("llmd_latency", SLOW, 1, 2, {"queued_tokens": [0, 50]}),
    ("llmd_latency", SLOW, 0, 2, {"queued_tokens": [0, 150]}),  # 2.5 s miss the target
    ("llmd_latency", SLOW, 0, 2, {"running": [0, 5]}),  # and so do 0.06 s per token
    ("polyserve", SLOW, 1, 2, {"in_flight": [1, 2]}),
    ("polyserve", SLOW, 0, 2, {"in_flight": [1, 2], "queued_tokens": [0, 150]}),
    ("polyserve", SLOW, 1, 2, {"queued_tokens": [300, 200]}),
    ("predicted_latency", QUEUE, 0, 2, {}),
    ("predicted_latency", QUEUE, 0, 2, {"waiting": [3, 4]}),
    ("predicted_latency", QUEUE, 0, 2, {"waiting": [2, 2], "sent_since_report": [1, 2]}),
    ("predicted_latency", QUEUE, 1, 2, {"waiting": [4, 0], "running": [0, 9]}),  # 5 + 1 against 1 + 3
    ("predicted_latency", QUEUE, 1, 3, {"waiting": [4, 4, 9], "running": [9, 8, 9]}),
    ("predicted_latency", RATES, 1, 2, {"indexed_tokens": [40, 41]}),
    ("predicted_latency", RATES, 1, 2, {"kv_blocks_used": [51, 50]}),
    ("predicted_latency", TOKENS_AHEAD, 1, 2,
     {"queued_tokens": [400, 500], "sent_tokens_since_report": [101, 0]}),
    ("predicted_latency", TOKENS_AHEAD, 1, 2, {"output_tokens_left": [71, 70]}),
    ("predicted_latency", PROMPT, 0, 2, {"waiting": [9, 0]}),
    ("llmd_latency", QUEUE, 0, 2, {"waiting": [0, 4]}),  # 0.9: 2 s and 0.2 s against 10 s
    ("polyserve", QUEUE, 0, 2, {"in_flight": [1, 0], "waiting": [4, 4]}),
]  # fmt: skip


def decide(policy, count, facts):
    """Return the choice, the same interpreted and compiled."""
    numbers, taken = np.array(policy.params), []
    for call in (policy.interpreted, policy.compiled):
        views, offer = np.zeros(count, INSTANCE), np.zeros(1, REQUEST)
        views["index"], views["fits"], views["kv_blocks"] = np.arange(count), 1, 100
        offer["input_tokens"], offer["predicted_output_tokens"] = 100, 10
        for field, value in facts.items():
            views[field] = value
        if call is policy.interpreted:
            views, offer = views.view(np.recarray), offer.view(np.recarray)
        if policy.kind == "score":
            taken.append(int(np.argmin([call(offer[0], view, numbers) for view in views])))
        else:
            taken.append(int(call(offer[0], views, numbers, empty_memory(count))))
    assert taken[0] == taken[1]
    return taken[0]


@pytest.mark.parametrize("number", range(len(SCENES)))
def test_decisions_by_hand(number):
    name, model, chosen, count, facts = SCENES[number]
    settings = CLEAN if model is TOKENS else TARGETS if model is SLOW else {}
    policy = wl.router(name, model=model, **settings)
    assert decide(policy, count, facts) == chosen


def test_a_prediction_is_the_sum_of_its_steps():
    policy = wl.router("predicted_latency", model=TOKENS, step_tokens=60, step_overhead_s=0.25)
    views, offer = np.zeros(1, INSTANCE), np.zeros(1, REQUEST)
    offer["input_tokens"], offer["predicted_output_tokens"] = 100, 10
    views["indexed_tokens"], views["queued_tokens"], views["running"] = 10, 50, 2
    # 140 tokens: steps of 60, 60 and 20, the last before 80 tokens; 2 sequences decode beside each
    first = (60 + 2) + (60 + 2) + (20 + 2 + 0.5 * 20 * 80) + 3 * 0.25
    seconds = policy.compiled(offer[0], views[0], np.array(policy.params))
    assert seconds == pytest.approx(first + 10 * (3 + 0.25))


def test_a_linear_model_predicts_as_its_coefficients_do():
    numbers = {"constant_s": 0.006, "prefill_token_s": 6e-5, "decode_seq_s": 3e-5,
               "decode_context_s": 8e-8}  # fmt: skip
    on_model = wl.router(
        "predicted_latency", model=LatencyModel.linear(**numbers), step_overhead_s=0
    )
    plain = wl.router("predicted_latency", **numbers)
    views, offer = np.zeros(1, INSTANCE), np.zeros(1, REQUEST)
    offer["input_tokens"], offer["predicted_output_tokens"] = 700, 30
    views["queued_tokens"], views["waiting"] = 300, 4
    seconds = [p.compiled(offer[0], views[0], np.array(p.params)) for p in (plain, on_model)]
    assert seconds[0] == pytest.approx(seconds[1])


def test_another_table_compiles_nothing_again():
    first, second = (
        wl.router("predicted_latency", model=LatencyModel.linear(constant_s=s)) for s in (1.0, 2.0)
    )
    assert first.function is second.function
    assert first.compiled is second.compiled
    assert first.params != second.params


def test_settings_keep_the_table():
    policy = wl.router("llmd_latency", model=TOKENS)
    names = ("ttft_slo_s", "tpot_slo_s", "most", "step_tokens", "step_overhead_s")
    assert policy.param_names == names
    assert policy.settings == (1.0, 0.05, 0.0, 2048.0, 0.001)
    assert policy.with_params(most=1, tpot_slo_s=0.1).settings == (1.0, 0.1, 1.0, 2048.0, 0.001)
    assert policy.with_params(1, 2, 3, 4, 5).params[5:] == policy.params[5:]
    with pytest.raises(UsageError, match=": 5, not 2"):
        policy.with_params(1, 2)


def test_every_feature_of_a_request_model_is_made_of_signals():
    assert set(SIGNALS) == set(REQUEST_FEATURES)


def test_what_cannot_predict_is_refused():
    with pytest.raises(UsageError, match="'round_robin' predicts no latency"):
        wl.router("round_robin", model=TOKENS)
    with pytest.raises(UsageError, match="is no latency model"):
        wl.router("polyserve", model="a100")
    first_only = RequestModel(
        name="first", features=("waiting",), coefficients={"ttft_s": {"0.5": stump(0, 1, 1, 2)}}
    )
    with pytest.raises(UsageError, match=r"does not predict tpot_s at 0\.5"):
        wl.router("predicted_latency", model=first_only)
    with pytest.raises(UsageError, match=r"does not predict ttft_s at 0\.9"):
        wl.router("llmd_latency", model=first_only)
    with pytest.raises(UsageError, match="no parameter 'constant_s'"):
        wl.router("predicted_latency", model=TOKENS, constant_s=1)


def log():
    return requests_every(0.01, 6, input_tokens=[64, 900] * 3, output_tokens=5)


def test_a_router_names_its_model_by_catalogue_or_path(tmp_path):
    cluster = wl.Cluster.uniform(2, TOKENS)
    QUEUE.save(tmp_path / "queue.json")
    words = ["predicted_latency=rtxpro6000-llama-3.1-8b", f"polyserve={tmp_path / 'queue.json'}"]
    runs = wl.replay(log(), cluster, routers=words)
    given = wl.replay(
        log(), cluster, routers=[
            wl.router("predicted_latency", model=LatencyModel.load("rtxpro6000-llama-3.1-8b")),
            wl.router("polyserve", model=QUEUE),
        ],
    )  # fmt: skip
    for one, other in zip(runs.traces, given.traces, strict=True):
        assert one.read("instance_id").equals(other.read("instance_id"))
    assert [info.router for info in runs.infos] == ["predicted_latency", "polyserve"]
    told = runs.traces[1].provenance.options
    assert (told["model"], told["params"]) == ("stumps", [1.0, 0.05])
    with pytest.raises(UsageError, match="no latency model file"):
        wl.replay(log(), cluster, routers=["predicted_latency=nowhere.json"])
    with pytest.raises(UsageError, match="did you mean predicted_latency"):
        wl.replay(log(), cluster, routers=["predicted_latenci=rtxpro6000-llama-3.1-8b"])
