"""What public functions are given is read as the command line reads it, or refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

import workloadlab as wl

TRACE = wl.Trace.of([(0.1 * number, 10, 5) for number in range(50)])
CLUSTER = wl.Cluster.uniform(2, wl.LatencyModel.linear(constant_s=0.01))
LOG = Path(__file__).resolve().parents[2] / "traces" / "chat.csv"
LONG = wl.Trace.of([(0.1 * number, 10, 5) for number in range(400)])


@pytest.mark.parametrize("text", ["17", "1,7", " 1.5 , 2 "])
def test_text_means_the_numbers_that_it_holds(text):
    meant = [float(word) for word in text.split(",")]
    runs = wl.replay(TRACE, CLUSTER, routers="random", rate_scale=text, seeds="2")
    assert [(info.rate_scale, info.seed) for info in runs.infos] == [
        (scale, seed) for scale in meant for seed in (0, 1)
    ]
    swept = wl.sweep(TRACE, CLUSTER, "1,12", routers="round_robin", rate_scale=text)
    assert swept["rate_scale"].to_list() == meant * 2
    assert swept["instances"].unique().sort().to_list() == [1, 12]
    found = wl.plan(TRACE, CLUSTER, slo="ttft=1", routers="round_robin", growth=text)
    assert [each.factor for each in found.growth] == meant


def test_an_environment_reads_text_alike():
    assert wl.Environment(TRACE, CLUSTER, rate_scale="17").rate_scales == (17.0,)


def test_one_name_is_a_list_of_one():
    runs = wl.replay(TRACE, CLUSTER, routers="random", record="steps")
    assert list(runs.records[0]) == ["steps"]
    assert {each.by for each in wl.score(runs, slices="hour").slices} == {"hour"}


REFUSED = {
    "rate_scale = None": lambda: wl.replay(TRACE, CLUSTER, rate_scale=None),
    "rate_scale = 'a'": lambda: wl.replay(TRACE, CLUSTER, rate_scale=["a"]),
    "rate_scale = True": lambda: wl.replay_oracles(TRACE, CLUSTER, rate_scale=True),
    "seeds = [0, 1]": lambda: wl.replay(TRACE, CLUSTER, seeds=[0, 1]),
    "seeds = 1.5": lambda: wl.sweep(TRACE, CLUSTER, seeds=1.5),
    "seeds = 'x'": lambda: wl.train(LONG, CLUSTER, seeds="x"),
    "loads = ['x']": lambda: wl.train(LONG, CLUSTER, loads=[["x"]]),
    "generations = 0": lambda: wl.train(LONG, CLUSTER, generations=0),
    "routers = 5": lambda: wl.replay(TRACE, CLUSTER, routers=5),
    "routers = None": lambda: wl.plan(TRACE, CLUSTER, slo="ttft=1", routers=None),
    "5 is no router": lambda: wl.sweep(TRACE, CLUSTER, routers=5),
    "seed = 'a'": lambda: wl.oracle_labels(TRACE, CLUSTER, seed="a"),
    "constant_s = 'x'": lambda: wl.LatencyModel.linear(constant_s="x"),
    "pools = 5": lambda: wl.Cluster(pools=5),
    "events = 5": lambda: wl.Cluster(pools=CLUSTER.pools, events=5),
    "prices = 5": lambda: wl.plan(TRACE, CLUSTER, slo="ttft=1", prices=5),
    "rent = 5": lambda: wl.score(wl.replay(TRACE, CLUSTER), rent=5),
    "a router of 5": lambda: wl.router(5),
    "record = 5": lambda: wl.replay(TRACE, CLUSTER, record=5),
    "record = [5]": lambda: wl.replay(TRACE, CLUSTER, record=[5]),
    "threads = 'x'": lambda: wl.replay(TRACE, CLUSTER, threads="x"),
    "cluster = 5": lambda: wl.replay(TRACE, 5),
    "cluster = None": lambda: wl.plan(TRACE, None, slo="ttft=1"),
    "clusters = 5": lambda: wl.sweep(TRACE, 5),
    "instances = 0": lambda: wl.sweep(TRACE, CLUSTER, [0]),
    "the trace that was given is of type int": lambda: wl.replay(5, CLUSTER),
    "the trace that was given is of type NoneType": lambda: wl.characterize(None),
    "growth = 'much'": lambda: wl.plan(TRACE, CLUSTER, slo="ttft=1", growth="much"),
    "attain = []": lambda: wl.plan(TRACE, CLUSTER, slo="ttft=1", attain=[]),
    "window_s = 'x'": lambda: wl.plan(TRACE, CLUSTER, slo="ttft=1", window_s="x"),
    "slo = 1": lambda: wl.score(wl.replay(TRACE, CLUSTER), slo=1),
    "slo = None": lambda: wl.plan(TRACE, CLUSTER, slo=None),
    "ttft = []": lambda: wl.SLO(ttft=[]),
    "slices = 5": lambda: wl.score(wl.replay(TRACE, CLUSTER), slices=5),
    "baseline = 5": lambda: wl.score(wl.replay(TRACE, CLUSTER), baseline=5),
    "oracles = 5": lambda: wl.replay_oracles(TRACE, CLUSTER, 5),
    "sources = 5": lambda: wl.ingest(5),
    "sources = 6": lambda: wl.ingest([6]),
    "name = 5": lambda: wl.query(5, TRACE),
    "path = 5": lambda: wl.report(5),
    "path = 8": lambda: wl.Plan.load(8),
    "source = 5": lambda: wl.fit(5),
    "latency = 5": lambda: wl.LatencyModel.load(5),
    "rate_scale = 'fast'": lambda: wl.Environment(TRACE, CLUSTER, rate_scale="fast"),
    "rate_scale = 'x'": lambda: wl.oracle_labels(TRACE, CLUSTER, rate_scale="x"),
    "holdout = 'x'": lambda: wl.fit("a.parquet", holdout="x"),
    "start_s = 'a'": lambda: TRACE.window("a", "b"),
    "path = 6": lambda: TRACE.save(6),
    "path = 7": lambda: wl.export(TRACE, 7),
    "folder = 5": lambda: wl.replay(TRACE, CLUSTER).save(5),
    "out = 5": lambda: wl.sweep(TRACE, CLUSTER, out=5),
    "out = 6": lambda: wl.ingest(LOG, 6),
    "mapping = 5": lambda: wl.ingest(LOG, mapping=5),
    "units = 5": lambda: wl.ingest(LOG, units=5),
    "where = 5": lambda: wl.ingest(LOG, where=5),
    "params = 5": lambda: wl.query("rate_by_minute", TRACE, params=5),
    "time_limit_s = 'x'": lambda: wl.query("rate_by_minute", TRACE, time_limit_s="x"),
    "method = 5": lambda: wl.train(LONG, CLUSTER, method=5),
    "runs = 5": lambda: wl.Runs.open(5),
    "mapping['arrival'] = 5 is no text": lambda: wl.ingest(LOG, mapping={"arrival": 5}),
    "mapping['arrival'] = ['ts'] is no text": lambda: wl.ingest(LOG, mapping={"arrival": ["ts"]}),
    "where = {3: 1} holds no values by name": lambda: wl.ingest(LOG, where={3: 1}),
    "storage_options = 3": lambda: wl.ingest(LOG, storage_options=3),
    "drop_repeats = 'no' is neither True nor False": lambda: wl.ingest(LOG, drop_repeats="no"),
    "strict = 'no' is neither True nor False": lambda: wl.ingest(LOG, strict="no"),
    "prices['L4'] = 'a' is not a number": lambda: wl.plan(
        TRACE, CLUSTER, slo="ttft=1", prices={"L4": "a"}
    ),
    "prices['L4'] = -1": lambda: wl.plan(TRACE, CLUSTER, slo="ttft=1", prices={"L4": -1}),
    "memory_limit = 'much' is no amount": lambda: wl.query(
        "rate_by_minute", TRACE, memory_limit="much"
    ),
    "lru_blocks = 'x'": lambda: wl.characterize(TRACE, lru_blocks="x"),
    "classes = 5": lambda: wl.SLO(classes=5),
    "classes['batch'] = 5 is no SLO": lambda: wl.SLO(classes={"batch": 5}),
    "requests = -1": lambda: TRACE.head(-1),
    "predicates = (5,) holds what is no Expr": lambda: TRACE.filter(5),
    "timings = 5 is no Timings": lambda: wl.SLO(ttft=1).met(5),
    "no column is called 'input_token'": lambda: TRACE.read("input_token"),
    "end at once": lambda: wl.saturation(wl.Trace.of([(0, 10, 5)] * 30), CLUSTER),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_neither_is_refused_by_its_name(said):
    with pytest.raises(wl.WorkloadlabError) as refused:
        REFUSED[said]()
    assert said in str(refused.value)
    assert refused.value.exit_code == 2
    assert refused.value.fix


def test_a_long_value_is_cut_in_the_sentence():
    with pytest.raises(wl.WorkloadlabError) as refused:
        wl.replay(TRACE, CLUSTER, seeds=list(range(1000)))
    assert len(refused.value.what) < 120


def test_a_model_in_the_place_of_a_cluster_is_named_as_such():
    with pytest.raises(wl.WorkloadlabError, match=r"latency model(.|\n)*wl.Cluster.uniform"):
        wl.replay(TRACE, "rtxpro6000-llama-3.1-8b")


def test_a_misspelt_name_of_the_package_has_a_suggestion():
    with pytest.raises(AttributeError, match=r"'charcterize': did you mean characterize\?"):
        wl.charcterize  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute '_pytestfixture'$"):
        wl._pytestfixture  # noqa: B018


def test_an_amount_of_memory_and_a_rent_are_read_as_people_write_them():
    assert len(wl.query("rate_by_minute", TRACE, memory_limit="1GB")) == 1
    assert len(wl.replay(TRACE, CLUSTER, routers="random", memory_limit="1GB")) == 1
    assert wl.characterize(TRACE, lru_blocks=5, memory_limit="1GB").trace.requests == 50
    model = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    cluster = wl.Cluster.uniform(1, model)
    found = wl.plan(TRACE, cluster, slo="ttft=1", routers="random", prices={model.gpu: "1.5"})
    assert found.price.usd_per_hour == 1.5


def test_a_share_may_be_in_percent():
    plans = [
        wl.plan(TRACE, CLUSTER, slo="ttft=1", routers="random", growth=[1], attain=attain)
        for attain in ("90%", 0.9, "0.9")
    ]
    assert {plan.attain for plan in plans} == {0.9}
    with pytest.raises(wl.WorkloadlabError, match=r"use a share of the requests: 0\.99 or 99%"):
        wl.plan(TRACE, CLUSTER, slo="ttft=1", attain=99)
