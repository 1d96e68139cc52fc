from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.routing import INSTANCE, INSTANCE_FIELDS, REQUEST, REQUEST_FIELDS, SHELF, resolve


def trace(n=4, **columns):
    return wl.Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [i * 10**8 for i in range(n)],
                "input_tokens": [100] * n,
                "output_tokens": [10] * n,
                **columns,
            }
        )
    )


def cluster(instances=2, **options):
    return wl.Cluster.uniform(instances, wl.LatencyModel.linear(constant_s=0.01), **options)


def placed(runs):
    return runs.outcomes().read("instance_id")["instance_id"].to_list()


def scene(*in_flight, **fields):
    views = np.zeros(len(in_flight), INSTANCE).view(np.recarray)
    views.in_flight = in_flight
    views.fits = 1
    for name, values in fields.items():
        views[name] = values
    return views


def request(**fields):
    record = np.zeros(1, REQUEST).view(np.recarray)
    for name, value in fields.items():
        record[name] = value
    return record[0]


def test_records_are_what_the_tables_say():
    assert list(REQUEST.names) == list(REQUEST_FIELDS)
    assert list(INSTANCE.names) == list(INSTANCE_FIELDS)


def test_a_router_in_three_lines():
    @wl.router
    def my_router(request, instance):
        return instance.queued_tokens + 0.5 * instance.running * request.input_tokens

    assert placed(wl.replay(trace(), cluster(), routers=[my_router])).count("pool/0") >= 1


def test_params_change_without_compiling_again():
    @wl.router(params=[1.0])
    def leaning(request, instance, params):
        return params[0] * instance.index

    first, last = leaning, leaning.with_params(-1.0)
    runs = wl.replay(trace(), cluster(), routers=[first, last])
    assert [info.router for info in runs.infos] == ["leaning", "leaning_2"]
    assert placed_of(runs, "leaning") == ["pool/0"] * 4
    assert placed_of(runs, "leaning_2") == ["pool/1"] * 4


def placed_of(runs, name):
    return runs.outcomes(router=name).read("instance_id")["instance_id"].to_list()


def test_ties_go_to_the_lowest_index():
    @wl.router
    def indifferent(request, instance):
        return 1.0

    assert placed(wl.replay(trace(), cluster(3), routers=[indifferent])) == ["pool/0"] * 4


def test_round_robin_takes_turns():
    names = placed(wl.replay(trace(5), cluster(3), routers=["round_robin"]))
    assert names == ["pool/0", "pool/1", "pool/2", "pool/0", "pool/1"]


def test_random_is_uniform_over_the_draw():
    views = scene(0, 0, 0, 0)
    chosen = [SHELF["random"](request(draw=d), views, None, None) for d in (0, 0.25, 0.6, 0.9999)]
    assert chosen == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("draw", "in_flight", "chosen"),
    [
        (0.0, (5, 3, 9), 1),  # draws 0 and 1
        (0.0, (3, 3, 9), 0),  # a tie stays with the first drawn
        (0.32, (5, 9, 1), 2),  # draws 0 and 2
        (0.99, (0, 9, 9), 2),  # draws 2 and 1: a tie
        (0.99, (9, 0, 9), 1),
    ],
)
def test_power_of_two_by_hand(draw, in_flight, chosen):
    assert SHELF["power_of_two"](request(draw=draw), scene(*in_flight), None, None) == chosen


def test_power_of_two_draws_every_pair_equally():
    views = scene(*range(5))
    pairs = [SHELF["power_of_two"](request(draw=d), views, None, None)
             for d in (np.arange(20_000) + 0.5) / 20_000]  # fmt: skip
    # instance i wins against every later one: 4, 3, 2, 1, 0 of the 10 pairs
    assert np.bincount(pairs, minlength=5) / 20_000 == pytest.approx(
        [0.4, 0.3, 0.2, 0.1, 0], abs=1e-3
    )
    assert SHELF["power_of_two"](request(draw=0.7), scene(4), None, None) == 0


def test_scores_of_the_counting_routers():
    view = scene(3, queued_tokens=[500], output_tokens_left=[70])[0]
    assert SHELF["least_requests"](request(), view, None) == 3
    assert SHELF["least_tokens"](request(), view, None) == 570


def test_least_tokens_sees_prompts_that_least_requests_does_not():
    uneven = trace(3, input_tokens=[4000, 10, 10], arrival_ns=[0, 0, 0])
    runs = wl.replay(uneven, cluster(), routers=["least_requests", "least_tokens"])
    assert placed_of(runs, "least_requests") == ["pool/0", "pool/1", "pool/0"]
    assert placed_of(runs, "least_tokens") == ["pool/0", "pool/1", "pool/1"]


def test_the_true_length_must_be_declared():
    with pytest.raises(UsageError, match="reads output_tokens, the true output length"):

        @wl.router
        def cheat(request, instance):
            return request.output_tokens

    @wl.router(needs={"oracle"})
    def clairvoyant(request, instance):
        return (instance.index + request.output_tokens) % 2

    outputs = trace(4, output_tokens=[1, 2, 3, 4])
    names = placed(wl.replay(outputs, cluster(), routers=[clairvoyant]))
    assert names == ["pool/1", "pool/0", "pool/1", "pool/0"]


def test_predictions_come_from_the_trace_or_from_what_finished():
    @wl.router
    def by_prediction(request, instance):
        return abs(instance.index - request.predicted_output_tokens % 2)

    told = trace(4, predicted_output_tokens=[1, 0, 1, 0])
    names = placed(wl.replay(told, cluster(), routers=[by_prediction]))
    assert names == ["pool/1", "pool/0", "pool/1", "pool/0"]
    later = trace(2, arrival_ns=[0, 10**10], output_tokens=[7, 7])
    assert placed(wl.replay(later, cluster(), routers=[by_prediction])) == ["pool/0", "pool/1"]


def test_needs_that_the_trace_cannot_meet_are_refused():
    @wl.router(needs={"session"})
    def sticky(request, instance):
        return (request.session + instance.index) % 2

    with pytest.raises(UnsupportedError, match="'sticky' needs session"):
        wl.replay(trace(), cluster(), routers=[sticky])
    named = trace(4, session_id=["a", "b", "a", "b"])
    assert placed(wl.replay(named, cluster(), routers=[sticky])) == ["pool/0", "pool/1"] * 2


def test_deferred_requests_wait_in_the_routers_queue():
    @wl.router(kind="choose")
    def one_at_a_time(request, instances):
        return 0 if instances[0].in_flight == 0 else -1

    burst = trace(3, arrival_ns=[0, 0, 0])
    outcome = wl.replay(burst, cluster(1, step_overhead_s=0.0), routers=[one_at_a_time]).outcomes()
    dispatch = outcome.read("dispatch_ns")["dispatch_ns"].to_list()
    assert dispatch == pytest.approx([0, 10**8, 2 * 10**8], abs=2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda request, instances: len(instances), "chose instance 2 for request 0"),
        (lambda request, instances: -7, "chose instance -7"),
        (lambda request, instances: -1, "defers request 0 although every instance is idle"),
        (lambda request, instances: 1 // instances[0].running, "raised ZeroDivisionError"),
    ],
)
def test_routers_that_misbehave_are_named(body, said):
    policy = wl.router(kind="choose", name="broken")(body)
    with pytest.raises(UsageError, match="router 'broken'") as caught:
        wl.replay(trace(), cluster(), routers=[policy])
    assert said in str(caught.value)
    assert "test_router_contract.py:" in str(caught.value)


def test_a_score_of_nan_everywhere_is_named():
    policy = wl.router(name="nan")(lambda request, instance: np.nan)
    with pytest.raises(UsageError, match="'nan' scores every instance NaN for request 0"):
        wl.replay(trace(), cluster(), routers=[policy])


def test_what_cannot_be_compiled_is_named():
    @wl.router
    def textual(request, instance):
        return {"a": [instance]}["b"].missing

    with pytest.raises(UsageError, match="'textual' cannot be compiled"):
        wl.replay(trace(), cluster(), routers=[textual])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: wl.router(lambda request: 1.0), "is no name for a router"),
        (lambda: wl.router(name="x")(lambda request: 1.0), "takes 1 arguments"),
        (lambda: wl.router(name="x", kind="guess")(lambda a, b: 1.0), "unknown kind"),
        (lambda: wl.router(name="x", needs={"luck"})(lambda a, b: 1.0), "needs luck"),
    ],
)
def test_wrong_declarations(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_resolve_names_and_files(tmp_path):
    assert resolve("random") is SHELF["random"]
    with pytest.raises(UsageError, match="did you mean least_requests"):
        resolve("least_request")
    file = tmp_path / "mine.py"
    file.write_text(
        "import workloadlab as wl\n"
        "@wl.router\ndef mine(request, instance):\n    return instance.waiting\n"
    )
    assert resolve(f"{file}:mine").name == "mine"
    with pytest.raises(UsageError, match=r"no router called 'other'[\s\S]*it has mine"):
        resolve(f"{file}:other")
    with pytest.raises(UsageError, match="no such file"):
        resolve(f"{tmp_path}/none.py:mine")
    file.write_text("import nothing_of_that_name\n")
    with pytest.raises(UsageError, match="cannot be imported: ModuleNotFoundError"):
        resolve(f"{file}:mine")
