from __future__ import annotations

import numpy as np
import pytest
from support.clusters import SYNCHRONOUS
from support.traces import requests_at

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.routing import INSTANCE, REQUEST, Batch

MODEL = wl.LatencyModel.linear(
    constant_s=0.1,
    prefill_token_s=0.01,
    prefill_context_s=1e-4,
    decode_seq_s=0.02,
    decode_context_s=0.001,
)


def trace(arrivals=(0, 0, 0), inputs=(10, 20, 30), outputs=(5, 1, 3), **columns):
    return requests_at(arrivals, input_tokens=inputs, output_tokens=outputs, **columns)


def environment(made=None, instances=2, lanes=1, cluster=None, **options):
    pool = {"step_overhead_s": 0.0, **(cluster or {})}
    return wl.Environment(
        made or trace(),
        wl.Cluster.uniform(instances, MODEL, **SYNCHRONOUS | pool),
        lanes=lanes,
        **options,
    )


class Fewest:
    def choose(self, batch):
        return batch.lowest(batch.instances["in_flight"])


def test_a_batch_shows_the_first_request_of_each_lane():
    made = environment(lanes=3)
    batch = made.batch
    assert len(batch) == 3
    assert batch.requests["input_tokens"].tolist() == [10, 10, 10]
    assert batch.allowed.all()
    assert batch.instance_features("in_flight", "max_num_seqs").shape == (3, 2, 2)
    assert batch.instance_features(dtype=np.float32).shape == (3, 2, len(INSTANCE.names))
    assert batch.request_features().shape == (3, len(REQUEST.names))
    batch, _, _ = made.step([0, 1, 1])
    assert batch.requests["row"].tolist() == [1, 1, 1]
    assert batch.instance_features("in_flight")[:, :, 0].tolist() == [[1, 0], [0, 1], [0, 1]]
    with pytest.raises(UsageError, match="no feature 'load'"):
        batch.instance_features("load")


def test_true_lengths_are_shown_on_request_only():
    assert environment().batch.requests["output_tokens"].tolist() == [0]
    assert environment(needs=["oracle"]).batch.requests["output_tokens"].tolist() == [5]
    with pytest.raises(UsageError, match="sight"):
        environment(needs=["sight"])
    with pytest.raises(UnsupportedError, match="session"):
        environment(needs=["session"])


def test_rewards_of_a_scene_by_hand():
    """One instance, two requests at once, a third long after them.

    Step 1 prefills 10 and 20 tokens: 0.1 + 0.3 = 0.4 s; the second request gives its only token. Four
    decodes of the first follow, with 10 to 13 tokens of context: 0.12 + 0.001 c each.
    """
    made = environment(trace(arrivals=(0, 0, 50)), instances=1, ttft_s=0.5, tpot_s=0.01)
    _, rewards, _ = made.step([0])
    assert rewards["inflicted_s"].tolist() == [0.0]
    _, rewards, _ = made.step([0])
    decodes = 4 * 0.12 + 0.001 * (10 + 11 + 12 + 13)
    assert rewards["ended"].tolist() == [2]
    assert rewards["ttft_s"][0] == pytest.approx(0.4 + 0.4)
    assert rewards["e2e_s"][0] == pytest.approx(0.4 + 0.4 + decodes)
    assert rewards["misses"].tolist() == [1]
    assert rewards["inflicted_s"][0] == pytest.approx(20 * 0.01)
    _, rewards, done = made.step([0])
    assert done.tolist() == [True]
    assert rewards["ttft_s"][0] == pytest.approx(0.1 + 0.3)
    assert rewards["misses"].tolist() == [1]


def test_the_delay_inflicted_is_stall_and_slower_decodes():
    """At 0.5 s the first of the two has ended its prefill at 0.2 s and holds some context."""
    made = environment(
        trace(arrivals=(0, 0.5, 0.5), inputs=(10, 20, 7), outputs=(100, 4, 1)), instances=1
    )
    made.step([0])
    held = int(made.batch.instances["context_tokens"][0, 0])
    assert held > 10
    _, rewards, _ = made.step([0])
    stall = 20 * 0.01
    slower = 3 * (0.02 + 0.001 * (20 + 4 / 2))
    assert rewards["inflicted_s"][0] == pytest.approx(stall + slower)
    _, rewards, _ = made.step([0])
    assert rewards["inflicted_s"][0] == pytest.approx(2 * 7 * 0.01)


def test_cached_tokens_inflict_nothing_but_their_context():
    made = environment(
        trace((0, 9, 9), (20, 10, 20), (1, 500, 1), block_ids=[[1, 2], [5], [1, 2]],
              block_size=[10] * 3), instances=1, cluster={"prefix_caching": True, "block_size": 10},
    )  # fmt: skip
    made.step([0])
    made.step([0])
    assert made.batch.instances["cached_tokens"].tolist() == [[10]]
    _, rewards, _ = made.step([0])
    assert rewards["inflicted_s"][0] == pytest.approx(10 * 0.01 + 10 * 10 * 1e-4)


def test_latencies_include_the_time_outside_the_cluster():
    made = environment(trace((0,), (10,), (1,)), cluster={"request_overhead_s": 2.0}, ttft_s=2.1)
    _, rewards, _ = made.step([0])
    assert rewards["ttft_s"][0] == rewards["e2e_s"][0] == pytest.approx(2.0 + 0.2)
    assert rewards["misses"].tolist() == [1]


def test_rejected_requests_are_misses_of_no_latency():
    made = environment(
        trace(inputs=(10, 500, 30)), cluster={"kv_blocks": 4, "block_size": 16}, tpot_s=9.0
    )
    _, first, _ = made.step([0])
    _, second, done = made.step([1])
    assert done.tolist() == [True]
    names = ["ended", "rejected", "misses"]
    assert [(first[name] + second[name]).tolist() for name in names] == [[2], [1], [1]]
    with pytest.raises(UsageError, match="rows 0 to 0 of the trace need no decision"):
        environment(trace((0, 1), (500, 30), (3, 3)), cluster={"kv_blocks": 4}, windows=1)


def test_lanes_begin_their_next_window_by_themselves():
    made = environment(trace(range(6), [10] * 6, [2] * 6), lanes=4, windows=2, seed=5)
    assert [window.first for window in made.windows] == [0, 2, 4]
    before = [episode.number for episode in made.episodes]
    batch, first, done = made.step([0] * 4)
    assert not done.any()
    batch, second, done = made.step([1] * 4)
    assert done.all()
    assert (first["ended"] + second["ended"]).tolist() == [2] * 4
    assert batch.requests["row"].tolist() == [0] * 4
    assert [episode.number for episode in made.episodes] == [n + 1 for n in before]
    assert batch.instances["in_flight"].tolist() == [[0, 0]] * 4


def test_windows_and_rates_are_drawn_by_seed():
    options = {"lanes": 30, "windows": 1, "rate_scale": (0.5, 2.0)}
    episodes = [environment(seed=seed, **options).episodes for seed in (1, 1, 2)]
    assert episodes[0] == episodes[1] != episodes[2]
    assert {e.window.first for e in episodes[0]} == {0, 1, 2}
    assert {e.rate_scale for e in episodes[0]} == {0.5, 2.0}
    assert len({e.seed for e in episodes[0]}) > 20


def test_a_deferred_request_is_offered_again():
    made = environment(trace((0, 0.1)[:2], (10, 20), (5, 1)), instances=1)
    made.step([0])
    batch, _, _ = made.step([-1])
    assert batch.requests["row"].tolist() == [1]
    assert batch.requests["now_s"][0] > 0.1
    alone = environment()
    with pytest.raises(UsageError, match=r"defers request 0 .* every instance is idle"):
        alone.step([-1])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([0], r"gave choices of shape \(1,\), not \(2,\)"),
        ([[0, 0]], r"shape \(1, 2\)"),
        (0, r"shape \(\)"),
        ([0.0, 1.0], "type float64"),
        ([0, 2], r"lane 1, request 0 of its window: there is no instance 2\n  fix: use 0 to 1"),
        ([-2, 0], "lane 0.*no instance -2"),
        ([0, 1], r"small/0 \(instance 1\) cannot take the request now\n  fix: .*here \[0\]"),
    ],
)
def test_a_wrong_choice_is_refused_before_anything_moves(choices, message):
    pools = [
        wl.Pool(name="large", latency=MODEL),
        wl.Pool(name="small", latency=MODEL, kv_blocks=1, block_size=4),
    ]
    log = trace((0, 0.5, 1.0, 9.0), (10, 20, 30, 1), (3, 3, 3, 1))
    made = wl.Environment(log, wl.Cluster(pools=pools), lanes=2)
    before = made.batch.instances.copy()
    with pytest.raises(UsageError, match=message):
        made.step(choices)
    assert (made.batch.instances == before).all()
    batch, _, _ = made.step([0, 0])
    assert batch.requests["row"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "options",
    [
        {"lanes": 0},
        {"rate_scale": 0.0},
        {"rate_scale": []},
        {"windows": 9},
        {"windows": [(80.0, 90.0)]},
        {"ttft_s": 0.0},
        {"tpot_s": -1.0},
        {"sessions": "shut"},
        {"signals": ["load"]},
    ],
)
def test_what_cannot_be_is_said_at_once(options):
    with pytest.raises(UsageError):
        environment(**options)


def test_closed_sessions_release_turns():
    made = environment(
        trace((0, 1, 2), session_id=["a", "a", "b"], turn=[0, 1, 0], think_ns=[None, 7 * 10**9, None]),
        sessions="closed",
    )  # fmt: skip
    (played,) = made.play(Fewest())
    outcome = played.outcome
    assert outcome.arrival_s[1] == pytest.approx(outcome.end_s[0] + 7.0)
    (first, second) = environment(
        trace((0, 1, 2), session_id=["a", "a", "b"], turn=[0, 1, 0], think_ns=[None, 7 * 10**9, None]),
        sessions="closed", windows=[(0.5, 3.0)], lanes=2,
    ).play(Fewest())  # fmt: skip
    assert first.outcome.arrival_s.tolist() == second.outcome.arrival_s.tolist() == [0.5, 1.5]


def test_replay_takes_objects_that_choose():
    class Named(Fewest):
        name = "fewest"

    many = trace(np.linspace(0, 9, 40), [30] * 40, range(1, 41))
    cluster = wl.Cluster.uniform(3, MODEL)
    runs = wl.replay(
        many, cluster, routers=["least_requests", Named(), "round_robin", Fewest()],
        rate_scale=[1.0, 4.0], seeds=2,
    )  # fmt: skip
    ids = [info.run_id for info in runs.infos]
    assert ids[4:8] == [
        "fewest__x1.0__s0",
        "fewest__x1.0__s1",
        "fewest__x4.0__s0",
        "fewest__x4.0__s1",
    ]
    assert ids[12] == "Fewest__x1.0__s0"
    frames = [made.frame.drop("run_id").collect() for made in runs.traces]
    for own, built_in in zip([*range(4, 8), *range(12, 16)], [*range(4)] * 2, strict=True):
        assert frames[own].equals(frames[built_in])
    assert not frames[0].equals(frames[8])


def test_replay_says_what_is_wrong_with_an_object():
    class Two:
        def choose(self, batch):
            return [0, 0]

    class Nowhere:
        def choose(self, batch):
            return np.full(len(batch), 7)

    class Sure(Fewest):
        needs = ("prefix",)

    class Odd(Fewest):
        name = "a b"

    class Listed(Fewest):
        index = ()

    class Blind(Fewest):
        index, uses = wl.PrefixIndex(), ()

    class Guessing(Fewest):
        index = wl.PrefixIndex(ttl_s=1)

    cluster = wl.Cluster.uniform(2, MODEL)
    for chooser, message in (
        (Two(), r"router 'Two' gave choices of shape \(2,\), not \(1,\)"),
        (Nowhere(), "router 'Nowhere' chose instance 7 for request 0; the cluster has 0 to 1"),
        (Sure(), "router 'Sure' needs prefix"),
        (Odd(), "'a b' is no name for a router"),
        (Fewest, "Fewest is a class"),
        (Listed(), "'Listed' has an index that is a tuple"),
        (Blind(), "'Blind' keeps a prefix index but does not declare prefix"),
    ):
        with pytest.raises(UsageError, match=message):
            wl.replay(trace(), cluster, routers=[chooser])
    with pytest.raises(UnsupportedError, match="not recorded"):
        wl.replay(trace(), cluster, routers=[Fewest()], record=["steps"])
    with pytest.raises(UsageError, match="'least_requests' is compiled"):
        environment().play("least_requests")
    with pytest.raises(
        UsageError, match="'Guessing' keeps an index that this environment does not"
    ):
        environment().play(Guessing())


def test_a_file_may_hold_an_object_that_chooses(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "class Last:\n"
        "    def choose(self, batch):\n"
        "        return [batch.instances.shape[1] - 1] * len(batch)\n"
        "mine = Last()\n"
    )
    runs = wl.replay(trace(), wl.Cluster.uniform(2, MODEL), routers=[f"{path}:mine"])
    assert set(runs.outcomes().read("instance_id")["instance_id"]) == {"pool/1"}
    with pytest.raises(UsageError, match=r"Last is a class\n  fix: give an object: Last\(\)"):
        wl.replay(trace(), wl.Cluster.uniform(2, MODEL), routers=[f"{path}:Last"])


def test_a_batch_leaves_out_lanes_that_are_through():
    seen = []

    class Watch(Fewest):
        def choose(self, batch):
            seen.append(batch.lanes.tolist())
            assert isinstance(batch, Batch)
            return super().choose(batch)

    wl.replay(trace((0, 0, 5)), wl.Cluster.uniform(2, MODEL), routers=[Watch()], seeds=2)
    assert seen == [[0, 1]] * 3


def test_gymnasium_drives_the_lanes():
    gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is in the extra rl")
    made = environment(lanes=3, windows=3, ttft_s=0.1).as_gymnasium(
        instance_features=("in_flight", "waiting"), own=1.0, misses=10.0
    )
    assert isinstance(made, gymnasium.vector.VectorEnv)
    told, _ = made.reset(seed=3)
    assert made.observation_space.contains(told)
    assert told["instances"].shape == (3, 2, 2)
    total = np.zeros(3)
    for step in range(3):
        told, rewards, ended, cut, infos = made.step(made.action_space.sample())
        assert made.observation_space.contains(told)
        assert ended.tolist() == [step == 2] * 3
        assert not cut.any()
        total -= rewards
        assert (rewards <= 0).all()
    assert (total > 10).all()
    assert (infos["ended"] > 0).all()
    assert made.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    made.close()


def test_without_gymnasium_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(UnsupportedError, match=r"workloadlab\[rl\]"):
        environment().as_gymnasium()
