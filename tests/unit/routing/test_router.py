from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from support.clusters import uniform_cluster as cluster
from support.traces import requests_at_ns

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.jit.stamps import stamp
from workloadlab.routing import (
    INSTANCE,
    INSTANCE_FIELDS,
    REQUEST,
    REQUEST_FIELDS,
    SHELF,
    SIGNALS,
    empty_memory,
    memory_slots,
    per_instance,
    resolve,
    signals_table,
)
from workloadlab.routing.choices import least
from workloadlab.routing.memory import cells_by_name


def trace(n=4, **columns):
    return requests_at_ns(columns.pop("arrival_ns", [i * 10**8 for i in range(n)]), **columns)


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


def load_of(instance):
    return instance.in_flight


def context_of(instance):
    return instance.context_tokens


BLOCKS, SEVERAL = "kv_blocks_used", ("waiting", "output_tokens_left")


@pytest.mark.parametrize(
    ("function", "sees"),
    [
        (lambda request, instance: instance.in_flight + instance.waiting, False),
        (lambda request, instance: np.sqrt(instance.queued_tokens), False),
        (lambda request, instance: load_of(instance), False),
        (lambda request, instance: instance.kv_blocks_used, True),
        (lambda request, instance: instance["output_tokens_left"], True),
        (lambda request, instance: instance[BLOCKS], True),
        (lambda request, instance: len(SEVERAL), True),
        (lambda request, instance: context_of(instance), True),
        (lambda request, instance: wl.anything(instance), True),
    ],
)
def test_a_router_that_reads_nothing_of_decoding_is_known_for_it(function, sees):
    weight = context_of

    def through_a_closure(request, instance):
        return function(request, instance) + 0 * weight(instance)

    assert wl.router(function, name="asked").sees_decoding == sees
    assert wl.router(through_a_closure).sees_decoding


def test_records_are_what_the_tables_say():
    assert list(REQUEST.names) == list(REQUEST_FIELDS)
    assert list(INSTANCE.names) == list(INSTANCE_FIELDS)


def test_the_tables_of_fields_are_whole():
    for fields in (REQUEST_FIELDS, INSTANCE_FIELDS):
        for name, (code, meaning) in fields.items():
            assert code in ("i8", "f8"), name
            assert len(meaning) > 10, name


def test_signals_are_named_once_in_a_record_and_have_units_like_their_names():
    fields = [(signal.record, signal.name) for signal in SIGNALS]
    assert len(set(fields)) == len(fields)
    for signal in SIGNALS:
        for end, unit in (("_s", "s"), ("_tokens", "tokens"), ("_blocks", "blocks")):
            if signal.name.endswith(end):
                assert signal.unit == unit, signal.name
    assert [row["name"] for row in signals_table()] == [signal.name for signal in SIGNALS]


def test_every_field_of_the_tables_reaches_a_router():
    """A router that writes what it sees: every declared signal takes a value other than zero."""
    seen = {}

    @wl.router(kind="choose", needs={"oracle", "prefix"}, uses={"session"})
    def watch(request, instances, params, memory):
        memory[0] += 1
        return int(memory[0]) % len(instances)

    def note(request, instances, params, memory):
        for name in REQUEST_FIELDS:
            seen[name] = max(seen.get(name, 0), request[name])
        for name in INSTANCE_FIELDS:
            seen[name] = max(seen.get(name, 0), instances[name].max())
        return watch.function(request, instances, params, memory)

    from workloadlab.simulation.reference.lane import replay_by_steps
    from workloadlab.simulation.workload import workload_of

    noted = wl.router(kind="choose", name="note", needs=watch.needs)(note)
    guessing = replace(noted, index=wl.PrefixIndex())
    n = 40
    log = trace(
        n, arrival_ns=[i * 10**7 for i in range(n)], input_tokens=[70] * n, session_id=["a", "b"] * 20,
        block_ids=[[1, 2, 3, 4]] * n, block_size=[16] * n, tenant_id=["t", "u"] * 20,
        slo_class=["chat", "batch"] * 20, priority=[1] * n, model=["m", "n"] * 20,
    )  # fmt: skip
    pool = cluster(
        1, kv_blocks=9, block_size=16, max_num_batched_tokens=32, prefix_caching=True,
        signal_interval_s=0.05,
    )  # fmt: skip
    pool = replace(pool, pools=[*pool.pools, replace(pool.pools[0], name="other", models=("n",))])
    for policy in (noted, guessing):
        replay_by_steps(workload_of(log, prefixes=True), pool, policy, 0)
    silent = {name for name in (*REQUEST_FIELDS, *INSTANCE_FIELDS) if not seen[name] > 0}
    assert silent == set()


def test_a_built_in_by_name_with_parameters_by_name():
    blend = wl.router("weighted", queue=2, kv=2, prefix=3)
    assert blend.params == SHELF["llmd_default"].params
    assert wl.router("power_of_d", d=4).params == (4.0, 0.0)
    assert wl.router("random") == SHELF["random"]
    with pytest.raises(UsageError, match=r"no parameter 'queues'[\s\S]*did you mean queue"):
        wl.router("weighted", queues=2)
    with pytest.raises(UsageError, match="did you mean weighted"):
        wl.router("wieghted", queue=2)
    with pytest.raises(UsageError, match="there is none"):
        wl.router("random", seed=2)


def test_functions_of_the_same_file_may_be_called():
    assert placed(wl.replay(trace(), cluster(), routers=[with_a_helper])) == ["pool/1"] * 4


def distance(instance, target):
    return abs(instance.index - target)


@wl.router
def to_the_second(request, instance):
    return distance(instance, 1)


@wl.router
def with_a_helper(request, instance):
    return 2 * to_the_second(request, instance)


def test_memory_is_checked_in_a_users_router():
    @wl.router(kind="choose")
    def far(request, instances, params, memory):
        memory[128 + 16 * len(instances)] = 1.0
        return 0

    with pytest.raises(UsageError, match="raised IndexError"):
        wl.replay(trace(), cluster(), routers=[far])


TURNS = memory_slots(last=1, sent="instance")


def sent_to(instance, sent):
    return sent[instance.index], -instance.index


least_sent = least(sent_to)


@wl.router(kind="choose", memory=TURNS)
def with_named_memory(request, instances, params, memory):
    sent = memory[per_instance(TURNS.sent, instances)]
    chosen = least_sent(instances, sent)
    sent[chosen] += 1.0
    memory[TURNS.last] = chosen
    return chosen


def test_a_users_router_may_name_its_memory_and_use_choices():
    names = placed(wl.replay(trace(5), cluster(3), routers=[with_named_memory]))
    assert names == ["pool/2", "pool/1", "pool/0", "pool/2", "pool/1"]


def test_places_of_a_memory_do_not_overlap():
    slots = memory_slots(a=1, bins=62, c="instance", d="instance", e="rest")
    memory = np.arange(len(empty_memory(3)))
    cells = [set(part.tolist()) for part in cells_by_name(memory, slots, 3).values()]
    assert [len(part) for part in cells] == [1, 62, 3, 3, 14 * 3]
    assert sum(map(len, cells)) == len(set().union(*cells))
    for sizes in ({"a": 129}, {"a": "rest", "b": "instance"}, {"a": "each"}, {"a": 0}):
        with pytest.raises(UsageError, match="memory"):
            memory_slots(**sizes)


def true_length(request):
    return request.output_tokens


def test_the_true_length_must_be_declared_by_whoever_calls_what_reads_it():
    with pytest.raises(UsageError, match="reads output_tokens, the true output length"):

        @wl.router
        def cheat(request, instance):
            return true_length(request)


def test_prefixes_are_used_where_there_are_any():
    @wl.router(uses={"prefix"})
    def by_cache(request, instance):
        return -instance.cached_tokens + 1e-3 * instance.in_flight

    assert placed(wl.replay(trace(), cluster(), routers=[by_cache])) == [
        "pool/0", "pool/1", "pool/0", "pool/1"
    ]  # fmt: skip
    shared = trace(4, block_ids=[[7, 8]] * 4, block_size=[50] * 4)
    caching = cluster(kv_blocks=100, block_size=50, prefix_caching=True)
    assert placed(wl.replay(shared, caching, routers=[by_cache])) == ["pool/0"] * 4


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
    assert SHELF["power_of_two"](request(draw=draw), scene(*in_flight), (0,), None) == chosen


def test_power_of_two_draws_every_pair_equally():
    views = scene(*range(5))
    pairs = [SHELF["power_of_two"](request(draw=d), views, (0,), None)
             for d in (np.arange(20_000) + 0.5) / 20_000]  # fmt: skip
    # instance i wins against every later one: 4, 3, 2, 1, 0 of the 10 pairs
    assert np.bincount(pairs, minlength=5) / 20_000 == pytest.approx(
        [0.4, 0.3, 0.2, 0.1, 0], abs=1e-3
    )
    assert SHELF["power_of_two"](request(draw=0.7), scene(4), (0,), None) == 0


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
    assert "test_router.py:" in str(caught.value)


def test_a_score_of_nan_everywhere_is_named():
    policy = wl.router(name="nan")(lambda request, instance: np.nan)
    with pytest.raises(UsageError, match="'nan' scores every instance NaN for request 0"):
        wl.replay(trace(), cluster(), routers=[policy])


def textual(request, instance):
    return {"a": [instance]}["b"].missing


def misspelt(request, instance):
    weight = 2.0
    return weight * instance.runing


def swapped(instance, request):
    return instance.running + request.row


def opens(request, instance):
    with open("x"):  # noqa: PTH123
        return 1.0


def forgets_to_return(request, instance):
    request.row + 1


def undefined(request, instance):
    x = 1.0
    return x + nowhere  # noqa: F821


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        (textual, 1, "Key 'b' is not in dict"),
        (misspelt, 2, r"no record has a field 'runing', in `return .*`[\s\S]*did you mean running\?"),
        (swapped, 1, r"'r\w+' is a field of (an instance|the request)[\s\S]*the request comes first"),
        (opens, 1, "Unsupported context manager in use, in `with open"),
        (forgets_to_return, 0, r"it returns none[\s\S]*return a number"),
        (undefined, 2, "name 'nowhere' is not defined"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled_is_named_with_its_line(body, line, said):
    where = f"test_router.py:{body.__code__.co_firstlineno + line}: "
    with pytest.raises(UsageError, match=f"{where}router '{body.__name__}' cannot be .*{said}"):
        wl.replay(trace(), cluster(), routers=[body])


def test_closures_keep_numbers_arrays_and_functions():
    weights, favourite = np.array([0.0, 1.0]), 1

    def closer(instance):
        return abs(instance.index - favourite)

    @wl.router
    def closed(request, instance):
        return weights[1] * closer(instance)

    assert placed(wl.replay(trace(), cluster(3), routers=[closed])) == ["pool/1"] * 4


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
    assert resolve(str(file)).name == wl.router.from_file(file).name == "mine"
    assert wl.router.from_file(str(file), "mine").location.startswith(str(file))
    with pytest.raises(UsageError, match=r"no router called 'other'[\s\S]*it has mine"):
        resolve(f"{file}:other")
    with pytest.raises(UsageError, match="no such file"):
        resolve(f"{tmp_path}/none.py:mine")
    file.write_text("import workloadlab as wl\n")
    with pytest.raises(UsageError, match="defines no routers"):
        wl.router.from_file(file)
    body = "@wl.router\ndef {}(request, instance):\n    return 0.0\n"
    file.write_text("import workloadlab as wl\n" + body.format("a") + body.format("b"))
    with pytest.raises(UsageError, match=r"defines 2 routers: a, b[\s\S]*mine.py:a"):
        resolve(str(file))
    file.write_text("import nothing_of_that_name\n")
    with pytest.raises(UsageError, match="cannot be imported: ModuleNotFoundError"):
        resolve(f"{file}:mine")


def test_an_edit_of_equal_size_within_a_second_is_seen(tmp_path):
    file = tmp_path / "mine.py"
    read = []
    for signal in ("queued_tokens", "cached_tokens"):
        file.write_text(f"def mine(request, instance):\n    return instance.{signal}\n")
        os.utime(file, (1_000_000_000, 1_000_000_000))
        read.append(stamp(resolve(f"{file}:mine").compiled))
    assert read[0] != read[1]
    assert not (tmp_path / "__pycache__").exists()


def test_a_kubernetes_service_places_connections_not_requests():
    """Requests of 0.1 s, one a second, share a connection; after ten seconds of silence it is closed."""

    def instances(gap_s):
        log = trace(40, arrival_ns=[int(i * gap_s * 1e9) for i in range(40)])
        return set(placed(wl.replay(log, cluster(8), routers=["kubernetes_service"])))

    assert len(instances(1.0)) == 1
    assert len(instances(10.0)) > 4
