"""What happens to instances: scenes by hand, in both engines, and what is said about events."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.clusters import SYNCHRONOUS

import workloadlab as wl
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.oracles import all_assignments, headroom
from workloadlab.routing import PrefixIndex, router
from workloadlab.simulation import Event
from workloadlab.simulation.engine import events as compiled
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.event import EVENT_KINDS
from workloadlab.simulation.reference import events as readable
from workloadlab.simulation.reference.lane import replay_by_steps
from workloadlab.simulation.workload import Workload

MODEL = wl.LatencyModel.linear(constant_s=1.0)
"""A step takes a second, whatever is in it."""

ENGINES = pytest.mark.parametrize(
    "play", [replay_lane, replay_by_steps], ids=["compiled", "readable"]
)


@router(kind="choose")
def lowest(request, instances, params, memory):
    """The first instance that may take the request."""
    for i in range(len(instances)):
        if instances[i].fits == 1:
            return i
    return -1


def load(*rows, blocks=None, block_size=0, **columns):
    """Requests of (arrival, prompt, output)."""
    arrival, prompt, output = (np.array(column) for column in zip(*rows, strict=True))
    chains = blocks or [[] for _ in rows]
    return Workload(
        arrival.astype(float), prompt, output, np.full(len(rows), -1), np.full(len(rows), -1),
        np.array([name for chain in chains for name in chain], np.int32),
        np.cumsum([0, *map(len, chains)]), block_size, **columns,
    )  # fmt: skip


def cluster(*events, instances=2, **options):
    options = SYNCHRONOUS | options
    return wl.Cluster.uniform(instances, MODEL, step_overhead_s=0.0, events=events, **options)


def event(at_s, kind, instance="pool/0", **options):
    return Event(at_s=at_s, kind=kind, instance=instance, **options)


@ENGINES
def test_a_stop_sends_what_runs_back_to_the_router_and_it_starts_again(play):
    made = cluster(event(2.5, "stop"))
    outcome = play(load((0, 10, 5)), made, lowest, 0)
    assert outcome.arrival_s.tolist() == [0.0]
    assert outcome.instance.tolist() == [1]
    assert outcome.dispatch_s.tolist() == outcome.scheduled_s.tolist() == [2.5]
    assert outcome.first_token_s.tolist() == [3.5]
    assert outcome.end_s.tolist() == [7.5]
    assert outcome.steps == 2 + 5


@ENGINES
def test_a_stop_fails_its_requests_if_the_cluster_says_so(play):
    made = cluster(event(2.5, "stop", requests="fail"))
    outcome = play(load((0, 10, 5), (3, 10, 1)), made, lowest, 0)
    assert outcome.instance.tolist() == [0, 1]
    assert outcome.dispatch_s.tolist() == [0.0, 3.0]
    for times in (outcome.scheduled_s, outcome.first_token_s, outcome.end_s):
        assert np.isnan(times).tolist() == [True, False]
    assert outcome.end_s[1] == 4.0


@ENGINES
def test_a_step_that_ends_at_the_moment_of_a_stop_has_ended(play):
    made = cluster(event(2.0, "stop"))
    outcome = play(load((0, 10, 2), (0, 10, 3)), made, lowest, 0)
    assert outcome.instance.tolist() == [0, 1]
    assert outcome.end_s.tolist() == [2.0, 5.0]


@ENGINES
def test_events_come_before_arrivals_of_the_same_moment(play):
    made = cluster(event(1.0, "stop"), event(2.0, "start"))
    outcome = play(load((1, 10, 1), (2, 10, 1)), made, lowest, 0)
    assert outcome.instance.tolist() == [1, 0]


@ENGINES
def test_a_draining_instance_ends_what_it_has_and_takes_nothing_new(play):
    made = cluster(event(0.5, "drain"), max_num_seqs=1)
    outcome = play(load((0, 10, 2), (0, 10, 2), (1, 10, 1)), made, lowest, 0)
    assert outcome.instance.tolist() == [0, 0, 1]
    assert outcome.end_s.tolist() == [2.0, 4.0, 2.0]


@ENGINES
def test_an_instance_whose_first_event_is_a_start_is_absent_before(play):
    made = cluster(event(3.0, "start", "pool"), instances=1)
    outcome = play(load((0, 10, 1), (5, 10, 1)), made, lowest, 0)
    assert outcome.dispatch_s.tolist() == [3.0, 5.0]
    assert outcome.end_s.tolist() == [4.0, 6.0]


@ENGINES
def test_a_restart_at_one_moment_stops_first(play):
    made = cluster(event(1.5, "start"), event(1.5, "stop"), instances=1)
    outcome = play(load((0, 10, 3)), made, lowest, 0)
    assert (outcome.dispatch_s[0], outcome.end_s[0]) == (1.5, 4.5)


@ENGINES
def test_a_request_that_nobody_will_serve_is_rejected_and_its_user_goes_on(play):
    made = cluster(event(2.5, "stop"), instances=1)
    turns = load((0, 10, 5), (0, 10, 1), next_turn=np.array([1, -1]), think_s=np.array([0, 1.0]))
    outcome = play(turns, made, lowest, 0)
    assert outcome.arrival_s.tolist() == [0.0, 3.5]
    assert outcome.instance.tolist() == [-1, -1]


@ENGINES
def test_a_failed_request_releases_the_next_turn(play):
    made = cluster(event(2.5, "stop", requests="fail"))
    turns = load((0, 10, 5), (0, 10, 1), next_turn=np.array([1, -1]), think_s=np.array([0, 1.0]))
    outcome = play(turns, made, lowest, 0)
    assert outcome.arrival_s.tolist() == [0.0, 3.5]
    assert outcome.instance.tolist() == [0, 1]
    assert outcome.end_s[1] == 4.5


@ENGINES
def test_a_retry_costs_the_router_another_decision_behind_what_waits_there(play):
    made = cluster(event(2.5, "stop"), decision_overhead_s=0.2)
    outcome = play(load((0, 10, 5), (2.4, 10, 1)), made, lowest, 0)
    np.testing.assert_allclose(outcome.dispatch_s, [2.8, 2.6])


@ENGINES
def test_the_prefix_cache_is_empty_after_a_stop_and_whole_after_a_drain(play):
    def cached(kind):
        made = cluster(
            event(5, kind), event(6, "start"), instances=1, prefix_caching=True, block_size=4
        )
        work = load((0, 9, 1), (7, 9, 1), (9, 9, 1), blocks=[[0, 1]] * 3, block_size=4)
        return play(work, made, lowest, 0).cached_tokens.tolist()

    assert cached("stop") == [0, 0, 8]
    assert cached("drain") == [0, 8, 8]


@router(needs={"prefix"}, index=PrefixIndex())
def by_belief(request, instance):
    return -instance.indexed_tokens


@ENGINES
def test_a_router_forgets_what_it_sent_to_an_instance_that_stops(play):
    def placed(*events):
        work = load((0, 9, 1), (0, 9, 1), (5, 9, 1), blocks=[[0, 1], [2, 3], [0, 1]], block_size=4)
        return play(work, cluster(event(1, "start"), *events), by_belief, 0).instance.tolist()

    assert placed() == [1, 1, 1]
    assert placed(event(2, "stop", "pool/1"), event(3, "start", "pool/1")) == [1, 1, 0]


@ENGINES
def test_ranks_that_step_together_stop_together(play):
    made = cluster(event(2.5, "stop", "pool"), event(4, "start", "pool"), step_together=True)
    outcome = play(load((0, 10, 5), (0, 10, 1)), made, lowest, 0)
    assert outcome.end_s.tolist() == [9.0, 1.0]


def test_every_kind_has_a_handler_in_each_engine():
    assert set(compiled.HANDLERS) == set(readable.HANDLERS) == set(EVENT_KINDS)


def trace(*rows):
    arrival, prompt, output = zip(*rows, strict=True)
    return wl.Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [round(1e9 * at) for at in arrival],
                "input_tokens": prompt,
                "output_tokens": output,
            }
        )
    )


def test_outcomes_and_scores_tell_what_failed():
    made = cluster(event(2.5, "stop", requests="fail"), event(2.5, "drain", "pool/1"))
    runs = wl.replay(trace((0, 10, 1), (1, 10, 5), (4, 10, 1)), made, routers=[lowest])
    frame = runs.outcomes().read("outcome", "instance_id", "ttft_ns", "e2e_ns", "dispatch_ns")
    assert frame.rows() == [
        ("ok", "pool/0", 10**9, 10**9, 0),
        ("error", "pool/0", None, None, 0),
        ("rejected", None, None, None, None),
    ]
    assert runs.traces[0].provenance.options["cluster"]["event"][0] == {
        "at_s": 2.5, "kind": "stop", "instance": "pool/0", "requests": "fail",
    }  # fmt: skip
    run = wl.score(runs, slo=wl.SLO(ttft_s=9.0)).runs[0]
    assert (run.requests, run.served) == (3, 1)
    assert run.slo_attainment == pytest.approx(1 / 3)


def test_a_recorded_step_that_was_lost_keeps_the_time_it_would_have_taken():
    runs = wl.replay(
        trace((0, 10, 2)), cluster(event(1.5, "stop")), routers=[lowest], record=["steps"]
    )
    steps = runs.records[0]["steps"].select("instance_id", "start_ns", "latency_ns")
    assert steps.rows() == [
        ("pool/0", 0, 10**9), ("pool/0", 10**9, 10**9),
        ("pool/1", 15 * 10**8, 10**9), ("pool/1", 25 * 10**8, 10**9),
    ]  # fmt: skip


class FirstAllowed:
    """`lowest`, for many lanes at once."""

    name = "first_allowed"
    needs = ()
    index = None

    def choose(self, batch):
        return np.where(batch.allowed.any(axis=1), batch.allowed.argmax(axis=1), -1)


def test_a_router_in_python_sees_the_same_events():
    rng = np.random.default_rng(0)
    columns = np.sort(rng.uniform(0, 4, 300)), rng.integers(1, 99, 300), rng.integers(1, 9, 300)
    made = cluster(
        event(2.5, "stop"), event(3.5, "start"), event(3.7, "stop", "pool/1"),
        instances=3, max_in_flight=60,
    )  # fmt: skip
    rows = trace(*zip(*columns, strict=True))
    runs = wl.replay(rows, made, routers=[lowest, FirstAllowed()])
    one, other = (t.read("instance_id", "ttft_ns", "e2e_ns", "outcome") for t in runs.traces)
    assert one.equals(other)
    assert one["instance_id"].n_unique() == 3
    assert (one["outcome"] == "ok").all()


def test_a_cluster_without_events_says_nothing_of_them():
    assert "event" not in cluster().to_dict()


def test_an_environment_pays_for_what_fails_and_can_go_back_to_before():
    made = wl.Environment(
        trace((0, 10, 5), (1, 10, 1), (3, 10, 1)),
        cluster(event(2.5, "stop", requests="fail")), lanes=2, ttft_s=9.0,
    )  # fmt: skip
    made.step([0, 0])
    kept = made.fork(1)
    batch, rewards, _ = made.step([1, 1])
    assert batch.allowed.tolist() == [[False, True]] * 2
    assert (rewards["rejected"].tolist(), rewards["misses"].tolist()) == ([1, 1], [1, 1])
    assert rewards["ended"].tolist() == [1, 1]
    assert rewards["e2e_s"].tolist() == [1.0, 1.0]
    made.restore(0, kept)
    batch, again, _ = made.step([1, 1])
    assert again[0] == rewards[0]


@pytest.mark.parametrize("ask", [wl.replay_oracles, all_assignments, headroom, wl.calibrate])
def test_who_compares_runs_on_one_cluster_refuses_events(ask):
    with pytest.raises(UnsupportedError, match="this one has events: 1"):
        ask(trace((0, 10, 5)), cluster(event(1, "stop")))


FILE = """
[[pool]]
name = "a"
instances = 2
latency = "rtxpro6000-llama-3.1-8b"
[[pool]]
name = "ranks"
instances = 2
step_together = true
latency = "rtxpro6000-llama-3.1-8b"
[[event]]
at_s = 120.0
kind = "stop"
instance = "a/1"
requests = "fail"
[[event]]
at_s = 60
kind = "drain"
instance = "ranks"
"""


def test_a_cluster_file_has_events(tmp_path):
    path = tmp_path / "cluster.toml"
    path.write_text(FILE)
    made = wl.Cluster.load(path)
    assert made.events == (
        Event(at_s=120.0, kind="stop", instance="a/1", requests="fail"),
        Event(at_s=60, kind="drain", instance="ranks"),
    )
    stop, drain = EVENT_KINDS.index("stop"), EVENT_KINDS.index("drain")
    assert made.event_queue == [(60, drain, 2, 0.0), (60, drain, 3, 0.0), (120.0, stop, 1, 1.0)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"stop"', '"explode"', "event 1: there is no kind of event 'explode'"),
        ("120.0", "-1", "event 1: at_s = -1 is no moment"),
        ("120.0", "inf", "event 1: at_s = inf is no moment"),
        ("120.0", "true", "event 1: at_s = True is no moment"),
        ('"a/1"', '["a/1"]', "event 1: instance = ['a/1'] is no name"),
        ('"fail"', '"forget"', "requests = 'forget'"),
        ('"stop"', '"drain"', 'requests = "fail" means nothing at a drain'),
        ('"a/1"', '"a/2"', "an event of 'a/2', which the cluster does not have"),
        ('instance = "ranks"', 'instance = "ranks/1"', "steps together with its pool"),
        ("at_s = 60", "at = 60", "event 2: unknown key 'at'"),
        ("at_s = 60\n", "", "event 2: has no at_s"),
    ],
)
def test_a_wrong_event_is_refused_with_place_and_fix(tmp_path, before, after, said):
    path = tmp_path / "cluster.toml"
    assert FILE.count(before) == 1
    path.write_text(FILE.replace(before, after))
    with pytest.raises(DataError) as caught:
        wl.Cluster.load(path)
    assert said in str(caught.value)
    assert "cluster.toml" in str(caught.value)


@pytest.mark.parametrize("text", ["event = 3\n", "event = [3]\n"])
def test_an_event_is_a_table(tmp_path, text):
    path = tmp_path / "cluster.toml"
    path.write_text(text + FILE.partition("[[event]]")[0])
    with pytest.raises(DataError, match="event"):
        wl.Cluster.load(path)


def test_an_unknown_instance_is_refused_in_python_too():
    with pytest.raises(UsageError, match="an event of 'pool/7'"):
        cluster(event(1, "stop", "pool/7"))
