"""Every argument of every public callable, given what it cannot be, is refused in a sentence."""

from __future__ import annotations

import inspect

import numpy as np
import polars as pl
import pytest

import workloadlab as wl
from workloadlab.scoring import Measure
from workloadlab.scoring.timings import read_timings

NEVER = (object(), b"x", {3: 1})
"""What no argument takes."""

ODD = (-1, 1.5, float("nan"), "", "no such", None, [], ["x", 3], {"a": [1]}, (1, 2), True)
"""What some arguments take; what takes it not says so."""

MADE = {"LatencyModel", "LengthPredictor", "Plan", "Profile", "Runs", "Scoreboard", "Trace"}
"""Classes that functions of the package make, so that nobody calls them."""

SLOW = {"train", "calibrate", "oracle_labels", "replay_oracles"}

ANYTHING = {"Trace.require purpose", "Trace.filter predicates"}

TRACE = wl.Trace.of([(0.1 * number, 10, 5) for number in range(60)])
MODEL = wl.LatencyModel.linear(constant_s=0.01)
CLUSTER = wl.Cluster.uniform(2, MODEL)
STEPS = {"decode_seqs": [1], "decode_context_tokens": [10]}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Return, by name, a public callable and arguments that it takes."""
    folder = tmp_path_factory.mktemp("calls")
    log = folder / "log.csv"
    rows = "".join(f"{second},10,5\n" for second in range(60))
    log.write_text(f"ts,prompt_tokens,completion_tokens\n{rows}")
    runs = wl.replay(TRACE, CLUSTER)
    board = wl.score(runs, slo="ttft=1")
    slo, timings = wl.SLO(ttft=1), read_timings(runs.traces[0])
    plan = wl.plan(TRACE, CLUSTER, slo=slo, routers="round_robin", growth=[1])
    environment = wl.Environment(TRACE, CLUSTER, lanes=2)
    profile = wl.characterize(TRACE)
    at = {"router": "round_robin", "scale": 1.0}
    measure = Measure.named("ttft_s")
    replayed = {"trace": TRACE, "cluster": CLUSTER}
    pool = CLUSTER.pools[0]
    return {
        "Cluster": (wl.Cluster, {"pools": CLUSTER.pools}),
        "Cluster.from_trace": (wl.Cluster.from_trace, {"trace": TRACE, "latency": MODEL}),
        "Cluster.load": (wl.Cluster.load, {"path": CLUSTER}),
        "Cluster.uniform": (wl.Cluster.uniform, {"instances": 2, "latency": MODEL}),
        "Environment": (wl.Environment, {**replayed, "lanes": 2}),
        "Environment.fork": (environment.fork, {"lane": 0}),
        "Environment.play": (environment.play, {"policy": "random"}),
        "Environment.restore": (environment.restore, {"lane": 0, "state": environment.fork(0)}),
        "Environment.step": (environment.step, {"choices": [0, 0]}),
        "Environment.workload_of": (
            environment.workload_of,
            {"episode": environment.episodes[0]},
        ),
        "LatencyModel.from_dict": (wl.LatencyModel.from_dict, {"facts": MODEL.to_dict()}),
        "LatencyModel.in_domain": (MODEL.in_domain, {"steps": STEPS}),
        "LatencyModel.is_dense": (MODEL.is_dense, {"steps": STEPS}),
        "LatencyModel.linear": (wl.LatencyModel.linear, {"constant_s": 0.1}),
        "LatencyModel.load": (wl.LatencyModel.load, {"name_or_path": MODEL}),
        "LatencyModel.of_table": (wl.LatencyModel.of_table, {"table": np.full((1, 6), 0.1)}),
        "LatencyModel.predict": (MODEL.predict, {"steps": STEPS}),
        "LatencyModel.predict_interval": (MODEL.predict_interval, {"steps": STEPS}),
        "LatencyModel.save": (MODEL.save, {"path": folder / "model"}),
        "LatencyModel.scaled": (MODEL.scaled, {"factor": 2.0, "more_s": 0.0}),
        "LatencyModel.seconds": (MODEL.seconds, {"features": np.array([[0.0, 0.0, 1.0, 10.0]])}),
        "LatencyModel.step_time_s": (MODEL.step_time_s, {}),
        "LengthPredictor.load": (wl.LengthPredictor.load, {"path": folder / "none"}),
        "Plan.autoscaled_gpu_hours": (plan.autoscaled_gpu_hours, {"start_up": True}),
        "Plan.load": (wl.Plan.load, {"path": folder / "none"}),
        "Plan.usd_per_hour": (plan.usd_per_hour, {"instances": 1}),
        "Pool": (wl.Pool, {"latency": MODEL}),
        "Pool.decode_step_s": (pool.decode_step_s, {"seqs": 1, "context_tokens": 10}),
        "Pool.in_blocks_of": (pool.in_blocks_of, {"tokens": 16}),
        "PrefixIndex": (wl.PrefixIndex, {}),
        "PrefixIndex.capacities": (wl.PrefixIndex().capacities, {"engine_tokens": [100]}),
        "Profile.from_dict": (wl.Profile.from_dict, {"facts": profile.to_dict()}),
        "Profile.load": (wl.Profile.load, {"path": folder / "none"}),
        "Profile.save": (profile.save, {"path": folder / "profile"}),
        "Runs.joined": (wl.Runs.joined, {"several": {"a": runs}}),
        "Runs.open": (wl.Runs.open, {"folder": runs}),
        "Runs.outcomes": (runs.outcomes, {"router": "round_robin"}),
        "Runs.save": (runs.save, {"folder": folder / "runs", "overwrite": True}),
        "SLO": (wl.SLO, {"ttft": 1}),
        "SLO.met": (slo.met, {"timings": timings}),
        "SLO.of": (wl.SLO.of, {"targets": "ttft=1"}),
        "SLO.reached": (slo.reached, {"timings": timings, "share": 0.9}),
        "SLO.scaled": (slo.scaled, {"factor": 2}),
        "Scoreboard.comparable": (board.comparable, {"scale": 1.0}),
        "Scoreboard.compared": (
            board.compared,
            {**at, "other": "least_requests", "measure": measure},
        ),
        "Scoreboard.interval": (board.interval, {**at, "measure": measure}),
        "Scoreboard.lost": (board.lost, at),
        "Scoreboard.marked": (board.marked, at),
        "Scoreboard.mean": (board.mean, {**at, "metric": "ttft_s", "part": "mean"}),
        "Scoreboard.of": (board.of, at),
        "Scoreboard.ranked": (board.ranked, {"scale": 1.0, "measure": measure}),
        "Scoreboard.steady": (board.steady, at),
        "Scoreboard.tables": (board.tables, {}),
        "Scoreboard.text": (board.text, {}),
        "Scoreboard.told": (board.told, at),
        "Scoreboard.verdicts": (board.verdicts, {}),
        "Scoreboard.worst": (board.worst, at),
        "Trace.filter": (TRACE.filter, {"predicates": pl.col("input_tokens") > 1}),
        "Trace.from_frame": (wl.Trace.from_frame, {"frame": TRACE.to_polars()}),
        "Trace.has": (TRACE.has, {"columns": "input_tokens"}),
        "Trace.head": (TRACE.head, {"requests": 3}),
        "Trace.of": (wl.Trace.of, {"requests": [(0, 1, 1)]}),
        "Trace.open": (wl.Trace.open, {"source": TRACE}),
        "Trace.read": (TRACE.read, {"columns": "input_tokens"}),
        "Trace.require": (TRACE.require, {"capability": "input", "purpose": "this"}),
        "Trace.sample": (TRACE.sample, {"requests": 10}),
        "Trace.save": (TRACE.save, {"path": folder / "a.trace"}),
        "Trace.supports": (TRACE.supports, {"capability": "input"}),
        "Trace.window": (TRACE.window, {"start_s": 0, "end_s": 1}),
        "Trace.write": (TRACE.write, {"path": folder / "a.trace"}),
        "calibrate": (wl.calibrate, {"trace": runs.traces[0], "cluster": CLUSTER}),
        "characterize": (wl.characterize, {"trace": TRACE}),
        "compare": (wl.compare, {"reference": TRACE, "other": TRACE}),
        "export": (wl.export, {"trace": TRACE, "path": folder / "exported"}),
        "fit": (wl.fit, {"source": folder / "none.csv"}),
        "ingest": (wl.ingest, {"sources": log}),
        "oracle": (wl.oracle, {"name": "lookahead"}),
        "oracle_labels": (wl.oracle_labels, replayed),
        "plan": (wl.plan, {**replayed, "slo": slo, "routers": "round_robin", "growth": [1]}),
        "query": (wl.query, {"name": "rate_by_minute", "trace": TRACE}),
        "replay": (wl.replay, {**replayed, "routers": "round_robin"}),
        "replay_metrics": (wl.replay_metrics, {**replayed, "routers": "round_robin"}),
        "replay_oracles": (wl.replay_oracles, replayed),
        "report": (wl.report, {"path": folder / "page.html", "parts": TRACE}),
        "router": (wl.router, {"what": "round_robin"}),
        "saturation": (wl.saturation, replayed),
        "score": (wl.score, {"runs": runs}),
        "sweep": (wl.sweep, {"trace": TRACE, "clusters": CLUSTER, "routers": "round_robin"}),
        "time_blocks": (wl.time_blocks, {"trace": TRACE}),
        "train": (wl.train, {**replayed, "generations": 1}),
    }


def parameters(function):
    return {
        name: each
        for name, each in inspect.signature(function).parameters.items()
        if each.kind is not each.VAR_KEYWORD
    }


def call(function, given):
    """Call a function with arguments by name, those that have none in their place."""
    bare = {
        name for name, each in parameters(function).items()
        if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL)
    }  # fmt: skip
    before = [given[name] for name in parameters(function) if name in given] if bare else []
    return function(*before, **({} if bare else given)) if bare else function(**given)


def test_every_public_callable_is_called(calls):
    public = set()
    for name in dir(wl):
        thing = getattr(wl, name)
        if not inspect.isclass(thing):
            public |= {name} if callable(thing) and parameters(thing) else set()
            continue
        if issubclass(thing, Exception):
            continue
        public |= set() if name in MADE else {name}
        for method in (each for each in vars(thing) if not each.startswith("_")):
            found = inspect.getattr_static(thing, method)
            bound = isinstance(found, classmethod | staticmethod)
            if bound or inspect.isfunction(found):
                taken = parameters(getattr(thing, method))
                public |= {f"{name}.{method}"} if {*taken} - {"self"} else set()
    assert public - {*calls} == {"LengthPredictor.apply", "LengthPredictor.predict",
                                 "LengthPredictor.save"}  # fmt: skip


def test_what_no_argument_takes_is_refused(calls):
    silent = []
    for name, (function, given) in calls.items():
        for argument in parameters(function):
            if f"{name} {argument}" in ANYTHING:
                continue
            for wrong in NEVER:
                try:
                    call(function, {**given, argument: wrong})
                except wl.WorkloadlabError:
                    continue
                except Exception as error:
                    silent.append(f"{name} {argument} = {wrong!r}: {type(error).__name__} {error}")
                else:
                    silent.append(f"{name} {argument} = {wrong!r}: taken")
    assert not silent, "\n".join(silent)


def test_no_word_stands_for_true_or_false(calls):
    found = []
    for name, (function, given) in calls.items():
        for argument, each in parameters(function).items():
            if each.annotation == "bool":
                found.append(f"{name} {argument}")
                with pytest.raises(wl.WorkloadlabError, match=argument):
                    call(function, {**given, argument: "no"})
    assert len(found) > 15


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_an_argument_may_take_is_taken_or_refused(calls, odd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, (function, given) in calls.items():
        for argument in parameters(function) if name not in SLOW else ():
            try:
                call(function, {**given, argument: odd})
            except wl.WorkloadlabError:
                pass
            except Exception as error:
                pytest.fail(f"{name} {argument} = {odd!r}: {type(error).__name__} {error}")
