"""Calibration: known parameters come back, and a log that cannot give them is told so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from support.traces import requests_at_ns

import workloadlab as wl
from workloadlab.calibration import calibrate, describe
from workloadlab.calibration.observe import observe
from workloadlab.calibration.observed import together
from workloadlab.calibration.parameters import EXTRA, from_scratch, from_start
from workloadlab.calibration.problem import Problem
from workloadlab.calibration.reconstruction import chunk_context, reconstruct
from workloadlab.calibration.task import Task
from workloadlab.cli.calibrate import command
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.routing import SHELF
from workloadlab.trace import session_prefixes

TRUTH = {
    "constant_s": 0.008,
    "prefill_token_s": 6e-5,
    "prefill_context_s": 2e-8,
    "decode_seq_s": 1e-4,
    "decode_context_s": 8e-8,
}


def simulated(requests=140, rate=2.5, *, instances=1, longest=8000, seed=1, **pool):
    """A log that the engine itself made with the parameters of TRUTH."""
    rng = np.random.default_rng(seed)
    log = requests_at_ns(
        (rng.exponential(1 / rate, requests).cumsum() * 1e9).astype(int),
        input_tokens=rng.integers(50, longest, requests),
        output_tokens=rng.integers(50, 300, requests),
    )
    cluster = wl.Cluster.uniform(instances, wl.LatencyModel.linear(**TRUTH), **pool)
    return wl.replay(log, cluster, routers=["least_requests"]).traces[0], cluster


@pytest.fixture(scope="module")
def served():
    return simulated()


@pytest.fixture(scope="module")
def model(served):
    return calibrate(*served)


def rows(model):
    return {row["name"]: row for row in model.system["calibration"]["parameters"]}


def test_identified_parameters_come_back_within_3_percent(model):
    found = rows(model)
    identified = [name for name, row in found.items() if row["identifiable"]]
    assert {"constant_s", "prefill_token_s", "prefill_context_s"} <= set(identified)
    for name in identified:
        assert found[name]["estimate"] == pytest.approx(TRUTH[name], rel=0.03), name


def drawn(seed):
    """A log of an engine, lengths and traffic drawn by the seed, with noise in the timings or none."""
    rng = np.random.default_rng(seed)

    def size(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    bounds = ((4e-3, 25e-3), (1.5e-5, 1.2e-4), (2e-9, 4e-8), (3e-5, 4e-4), (1e-8, 2e-7))
    truth = {name: size(*both) for name, both in zip(TRUTH, bounds, strict=True)}
    requests, instances = int(rng.integers(120, 420)), int(rng.integers(1, 3))
    typical, spread = (size(250, 6000), size(30, 300)), rng.uniform(0.4, 1.1)
    inputs, outputs = (
        np.clip(rng.lognormal(np.log(mean) - spread**2 / 2, spread, requests), *limits).astype(int)
        for mean, limits in zip(typical, ((8, 30000), (2, 2000)), strict=True)
    )
    seqs, context = size(1.5, 30), inputs.mean() + outputs.mean() / 2
    step = truth["constant_s"] + seqs * truth["decode_seq_s"]
    step += seqs * context * truth["decode_context_s"]
    rate = seqs / (outputs.mean() * step + seqs * inputs.mean() * truth["prefill_token_s"])
    gaps = rng.exponential(1 / (rate * instances), requests)
    log = pl.DataFrame(
        {
            "arrival_ns": (gaps.cumsum() * 1e9).astype(int),
            "input_tokens": inputs,
            "output_tokens": outputs,
        }
    )
    limited = bool(rng.integers(0, 3))
    least = inputs.max() / 16 + outputs.max() / 16 + 8
    kv_blocks = int(max(seqs * context / 16 * rng.uniform(0.8, 2.5), least)) if limited else None
    cluster = wl.Cluster.uniform(
        instances,
        wl.LatencyModel.linear(**truth),
        kv_blocks=kv_blocks,
        max_num_seqs=int(rng.choice([32, 128, 256])),
        max_num_batched_tokens=int(rng.choice([512, 2048, 8192])),
        async_scheduling=bool(rng.random() < 0.3),
    )
    noise = (0.0, 0.0, 0.005, 0.02)[int(rng.integers(0, 4))]
    served = wl.replay(wl.Trace.from_frame(log), cluster, routers=["least_requests"]).traces[0]
    first, later = np.exp(rng.normal(0, noise, (2, requests)))
    decode = pl.col("e2e_ns") - pl.col("ttft_ns")
    ttft = (pl.col("ttft_ns") * first).cast(pl.Int64)
    timings = {"ttft_ns": ttft, "e2e_ns": ttft + (decode * later).cast(pl.Int64)}
    return wl.Trace.from_frame(served.frame.with_columns(**timings)), cluster, truth


@pytest.mark.parametrize("seed", [71003, 71107, 71108])
def test_nothing_called_identified_is_off_by_more_than_3_percent(seed):
    """Two of the searches in 71107 and 71108 end in hollows that explain the log to 0.5 %."""
    log, cluster, truth = drawn(seed)
    found = rows(calibrate(log, cluster))
    identified = [name for name, row in found.items() if row["identifiable"]]
    assert len(identified) >= 2
    for name in identified:
        assert found[name]["estimate"] == pytest.approx(truth[name], rel=0.03), name


def test_the_model_replays_the_log(served, model):
    log, cluster = served
    again = replace(cluster, pools=(replace(cluster.pools[0], latency=model),))
    board = wl.score(wl.replay(log, again, routers=["round_robin"]), observed=log)
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        assert abs(board.runs[0].fidelity[name]["mean_error"]) < 0.01


def test_card_and_report_judge_later_requests(model):
    held_out = model.system["calibration"]["held_out"]
    assert {facts["requests"] for facts in held_out.values()} == {70}
    assert all(abs(facts["mean_error"]) < 0.05 for facts in held_out.values())
    assert model.card.overall.slice == "e2e_s"
    assert model.card.fitted_rows == 70
    text = describe(model)
    assert "constant_s" in text
    assert "Later half" in text
    assert describe(wl.LatencyModel.linear(constant_s=1.0)) == ""


def test_saved_and_loaded_it_predicts_the_same_bits(model, tmp_path):
    model.save(tmp_path / "model.json")
    again = wl.LatencyModel.load(tmp_path / "model.json")
    step = {"prefill_tokens": 700, "decode_seqs": 9, "decode_context_tokens": 9000}
    assert again.step_time_s(**step) == model.step_time_s(**step)
    assert again.system == model.system


def test_same_log_same_model():
    log, cluster = simulated(40)
    start = cluster.pools[0].latency
    once, twice = (calibrate(log, cluster, start=start).to_dict() for _ in range(2))
    assert once == twice


def test_domain_holds_the_steps_of_the_log_only(model):
    inside, outside = model.in_domain(
        {"decode_seqs": [2, 5000], "decode_context_tokens": [9000, 30_000_000]}
    )
    assert inside
    assert not outside


def test_a_start_model_is_scaled_only(served):
    log, cluster = served
    known = cluster.pools[0].latency
    twice = replace(
        known, coefficients={name: value * 2 for name, value in known.coefficients.items()}
    )
    found = rows(calibrate(log, cluster, start=twice))
    assert list(found) == ["scale", "overhead_s"]
    assert found["scale"]["estimate"] == pytest.approx(0.5, rel=0.02)
    assert found["overhead_s"]["share"] < 0.02


def test_a_search_sees_the_decodes_that_cost_nothing_in_its_start(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    parameters = from_start(wl.LatencyModel.linear(prefill_token_s=1e-9), work)
    problem = Problem(observed, cluster, SHELF["round_robin"], parameters, observed.scored)
    tpot = [problem.residuals(start)[problem.groups == 1] for start in parameters.starts]
    assert min(np.abs(one).mean() for one in tpot) < 1


def test_recorded_placement_is_used_without_any_router():
    log, cluster = simulated(70, 5, instances=2)
    model = calibrate(log, cluster)
    assert model.system["calibration"]["placement"] == "as recorded"
    assert rows(model)["prefill_token_s"]["estimate"] == pytest.approx(6e-5, rel=0.03)


def test_a_window_of_a_log_is_known_to_be_cut(served):
    log, cluster = served
    observed = observe(log.window(0, log.span_s / 2), cluster, routed=False)
    assert observed.cut
    lane = observed.lanes[0]
    assert len(lane.continued) >= len(lane.stopped)
    assert not observe(log, cluster, routed=False).cut


def test_what_the_log_never_did_is_not_identified():
    log, cluster = simulated(60, 1.0, longest=400)
    found = rows(calibrate(log, cluster))["prefill_context_s"]
    assert not found["identifiable"]
    assert found["estimate"] == 0
    assert "nothing in the log depends on it" in found["why"]


def test_unknown_placement_is_refused_with_what_is_missing():
    log, cluster = simulated(60, 4, instances=2)
    blind = wl.Trace.from_frame(log.frame.drop("instance_id"))
    with pytest.raises(UnsupportedError, match="instance_id"):
        calibrate(blind, cluster)


def test_more_instances_in_the_log_than_in_the_cluster():
    log, cluster = simulated(60, 4, instances=2)
    with pytest.raises(UsageError, match="2 instances and the cluster has 1"):
        calibrate(log, wl.Cluster.uniform(1, cluster.pools[0].latency))


def test_two_pools_are_refused(served):
    log, cluster = served
    pool = cluster.pools[0]
    with pytest.raises(UsageError, match="one kind of instance"):
        calibrate(log, replace(cluster, pools=(pool, replace(pool, name="other"))))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda f: f.drop("e2e_ns"), UnsupportedError, "e2e_ns"),
        (lambda f: f.head(20), DataError, "20 requests"),
        (lambda f: f.with_columns(e2e_ns=pl.col("ttft_ns")), DataError, "streamed"),
        (
            lambda f: f.with_columns(
                ttft_ns=pl.col("ttft_ns") * 1000, e2e_ns=pl.col("e2e_ns") * 1000
            ),
            DataError,
            "units",
        ),
    ],
)
def test_unusable_logs_are_refused_in_a_sentence(served, change, error, words):
    log, cluster = served
    with pytest.raises(error, match=words):
        calibrate(wl.Trace.from_frame(change(log.frame)), cluster)


def test_failed_requests_load_the_engine_but_are_not_fitted(served):
    log, cluster = served
    failed = pl.when(pl.col("row_id") % 10 == 0).then(pl.lit("error")).otherwise(pl.lit("ok"))
    observed = observe(
        wl.Trace.from_frame(log.frame.with_columns(outcome=failed)), cluster, routed=False
    )
    assert len(observed.lanes[0].stopped) == 140
    assert observed.scored.sum() == 126
    assert "14 requests" in observed.notes[0]


def test_reconstruction_is_near_before_any_simulation(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    truth = np.array(list(TRUTH.values()))
    truth[0] += cluster.pools[0].step_overhead_s
    explained = work.totals @ truth / work.busy_s
    assert explained == pytest.approx(1.0, abs=0.05)
    assert work.coefficients[1] == pytest.approx(6e-5, rel=0.35)


def test_reconstruction_knows_how_long_an_asynchronous_engine_lets_arrivals_wait():
    log, cluster = simulated(400, 1.0, async_scheduling=True)
    observed = observe(log, cluster, routed=False)
    found = reconstruct(observed, cluster.pools[0], observed.scored).coefficients
    assert found[:3] == pytest.approx(list(TRUTH.values())[:3], rel=0.05)
    assert found[3] == pytest.approx(TRUTH["decode_seq_s"], rel=0.1)


def test_chunk_context_is_the_sum_over_chunks():
    def plainly(tokens, budget):
        done, total = 0, 0
        while done < tokens:
            chunk = min(budget, tokens - done)
            total += chunk * done
            done += chunk
        return total

    for tokens in (1, 511, 512, 513, 5000):
        assert chunk_context(np.array([tokens]), 512)[0] == plainly(tokens, 512)


def test_trials_of_the_search_are_the_models_they_stand_for(served):
    log, cluster = served
    observed = observe(log, cluster, routed=False)
    work = reconstruct(observed, cluster.pools[0], observed.scored)
    start = wl.LatencyModel.load("rtxpro6000-llama-3.1-8b")
    for parameters in (from_scratch(work, 0.001), from_start(start, work)):
        shares = parameters.starts[0]
        ours, model = parameters.trial(shares), parameters.model(shares)
        step, table = ours.kernel()
        shape = (300.0, 50.0, 7.0, 9000.0)
        seconds = model.kernel()[0](*shape, model.kernel()[1])
        assert step(*shape, table) == pytest.approx(seconds, rel=1e-4)


CHATS = {
    "constant_s": 0.01,
    "prefill_token_s": 4e-5,
    "decode_seq_s": 2e-4,
    "decode_context_s": 3e-8,
    "prefill_step_s": 0.03,
}


def load_test(clients, turns=5, seed=3):
    """A run in which each client sends the next turn of its only chat when it has its answer."""
    rng = np.random.default_rng(seed + clients)
    asked, answered = rng.integers(20, 900, (2, clients, turns))
    before = np.cumsum(asked + answered, axis=1) - asked - answered
    n = clients * turns
    log = pl.DataFrame(
        {
            "arrival_ns": np.tile(np.arange(turns), clients) * 10**10 + np.arange(n) * 10**6,
            "input_tokens": (before + asked).ravel(),
            "output_tokens": answered.ravel(),
            "ttft_ns": [1] * n,
            "e2e_ns": [10**9] * n,
            "think_ns": [0] * n,
            "session_id": np.repeat(np.arange(clients), turns).astype(str),
        }
    ).with_columns(client_id="session_id")
    return session_prefixes(wl.Trace.from_frame(log))


def cluster_of(model, **options):
    engine = {"max_num_seqs": 64, "prefix_caching": True, "step_overhead_s": 0.0} | options
    return wl.Cluster.uniform(1, model, **engine)


@pytest.mark.parametrize("engine", [{}, {"async_scheduling": True, "step_overhead_s": 0.004}])
def test_one_model_for_several_closed_loop_runs(engine):
    truth = cluster_of(wl.LatencyModel.linear(**CHATS), request_overhead_s=0.05, **engine)
    levels = [
        wl.replay(load_test(n), truth, routers=["round_robin"], sessions="closed").traces[0]
        for n in (8, 32)
    ]
    model = calibrate(
        levels,
        cluster_of(wl.LatencyModel.linear(), kv_blocks=100_000, **engine),
        sessions="closed",
        extra=("prefill_step_s", "request_overhead_s"),
    )
    report = model.system["calibration"]
    assert (report["requests"], report["sessions"]) == (200, "closed")
    assert model.system["request_overhead_s"] == pytest.approx(0.05, rel=0.1)
    assert model.system["includes_step_overhead"]  # there is none, or it is hidden
    for step in (
        {"decode_seqs": 10, "decode_context_tokens": 20_000},
        {"prefill_tokens": 500, "decode_seqs": 10, "decode_context_tokens": 20_000},
    ):
        known = wl.LatencyModel.linear(**CHATS).step_time_s(**step)
        assert model.step_time_s(**step) == pytest.approx(known, rel=0.05)


def test_every_log_counts_the_same_however_long():
    logs = [load_test(n) for n in (8, 32)]
    cluster = cluster_of(wl.LatencyModel.linear(**CHATS))
    observed = together([observe(log, cluster, routed=False, sessions="closed") for log in logs])
    task = Task(observed, cluster, SHELF["round_robin"], None)
    parameters = from_scratch(reconstruct(observed, cluster.pools[0], observed.scored), 0.0)
    problem = Problem(observed, cluster, task.router, parameters, observed.scored)
    for kind in range(2):
        rows = problem.groups == kind
        share = problem.balance[rows][: len(logs[0].frame.collect())].sum()
        assert share == pytest.approx(problem.balance[rows].sum() / 2)
        assert problem.balance[rows].mean() == pytest.approx(1.0)


def test_cached_tokens_are_those_that_an_earlier_prompt_named():
    log = load_test(8)
    observed = observe(log, cluster_of(wl.LatencyModel.linear()), routed=False, sessions="closed")
    frame = log.read("session_id", "input_tokens", "output_tokens").with_columns(
        before=(pl.col("input_tokens") + pl.col("output_tokens")).shift(1).over("session_id")
    )
    held = ((frame["before"].fill_null(1) - 1) // 16 * 16).to_numpy()
    assert observed.cached_tokens.tolist() == held.tolist()
    assert not observe(served_alone(log), cluster_of(wl.LatencyModel.linear()), routed=False
                       ).cached_tokens.any()  # fmt: skip


def test_cached_tokens_are_expected_where_the_placement_is_unknown():
    log, instances = load_test(10, turns=3), 4
    cluster = wl.Cluster.uniform(instances, wl.LatencyModel.linear(), prefix_caching=True)
    observed = observe(log, cluster, routed=True, sessions="closed")
    chance = [0, 1 - 3 / 4, 1 - (3 / 4) ** 2]
    left = {}
    requests = log.read("session_id", "input_tokens", "output_tokens").iter_rows()
    for cached, (session, inputs, outputs) in zip(observed.cached_tokens, requests, strict=True):
        held = left.setdefault(session, [])
        earlier = [sum(end > block for end in held) for block in range((inputs - 1) // 16)]
        assert cached == pytest.approx(sum(16 * chance[count] for count in earlier))
        held.append((inputs + outputs - 1) // 16)


def served_alone(log):
    return wl.Trace.from_frame(log.frame.drop("block_ids", "block_size"))


def test_extra_parameters_are_checked():
    log, cluster = load_test(8), cluster_of(wl.LatencyModel.linear())
    with pytest.raises(UsageError, match="'tp'"):
        calibrate(log, cluster, extra=["tp"])
    with pytest.raises(UsageError, match="from nothing"):
        calibrate(log, cluster, start=wl.LatencyModel.linear(), extra=["prefill_step_s"])
    with pytest.raises(UsageError, match="no trace"):
        calibrate([], cluster)


def test_help_names_every_extra_parameter():
    """As text, since reading them takes the simulator and help does not."""
    said = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert f"Move it too: {' or '.join(EXTRA)};" in said
