"""Mutants and flipped bits of every artefact: each is refused in a sentence or read as it was.

`make mutants` runs it; `python tests/bench/mutants.py 10000 0 plan sweep` takes some artefacts, so many
times. A mutant of a JSON artefact has one value that is gone or nonsense, and no digest; one of a TOML
or CSV file has one line that is; a flipped bit keeps the digest that was written.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.damage import attack, flipped
from support.latency_models import random_steps, samples_of, stump
from support.learned import RULED
from support.runs import outcome_of, runs_of
from support.traces import requests_every

import workloadlab as wl
from workloadlab.characterization.profile import Profile
from workloadlab.errors import WorkloadlabError
from workloadlab.latency import RequestModel, read_samples, write_samples
from workloadlab.learning.lengths.predictor import LengthPredictor, fit_lengths
from workloadlab.planning import load_prices
from workloadlab.routing.learned.artefact import LearnedRouter, load_learned
from workloadlab.routing.learned.terms import TERMS
from workloadlab.scoring import KeptScore
from workloadlab.simulation import Cluster
from workloadlab.sweeping import read_sweep
from workloadlab.trace import Runs, Trace
from workloadlab.trace.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    Use = Callable[[Path], Any]

CLUSTER = """
signal_interval_s = 0.1
replicas = 2
request_overhead_s = 0.02
[[pool]]
name = "fast"
instances = 2
latency = "h100-llama-3.1-8b"
engine = "vllm-0.19"
kv_blocks = 3000
block_size = 16
max_num_seqs = 64
max_num_batched_tokens = 2048
batching = "chunked"
queue_order = "fcfs"
prefix_caching = true
step_noise = 0.1
models = ["a", "b"]
[[event]]
at_s = 3
kind = "drain"
instance = "fast/1"
"""
SWEEP = """
clusters = "few.toml"
instances = [1, 2]
routers = ["round_robin", "random"]
rate_scales = [1, 1.5]
seeds = 2
sessions = "open"
slo = "ttft=1,tpot=50ms"
keep = "metrics"
"""
PRICES = """
[H100]
usd_per_hour = 2.5
watts = 700
[L4]
usd_per_hour = 0.5
watts = 72
"""


def artefacts(folder: Path) -> dict[str, tuple[Path, Use]]:
    """Write one of each and say how it is used."""
    trace = requests_every(0.5, 300, output_tokens=[5 + i % 9 for i in range(300)])
    trace.save(folder / "a.trace")
    wl.characterize(trace).save(folder / "profile.json")
    wl.LatencyModel.load("rtxpro6000-llama-3.1-8b").save(folder / "model.json")
    LearnedRouter(rules=RULED, body=dict.fromkeys(TERMS, 0.5)).save(folder / "router.json")
    fit_lengths(trace).save(folder / "lengths.json")
    runs = runs_of(outcome_of([1], [2]), outcome_of([3], [4])).save(folder / "runs")
    return {
        "profile": (folder / "profile.json", lambda path: str(Profile.load(path))),
        "model": (folder / "model.json", lambda path: str(wl.LatencyModel.load(path))),
        "router": (folder / "router.json", lambda path: load_learned(path).explain()),
        "lengths": (folder / "lengths.json", lambda path: LengthPredictor.load(path).to_dict()),
        "requests": (_requests(folder), lambda path: repr(RequestModel.load(path).to_dict())),
        "plan": (_plan(folder, trace), lambda path: str(wl.Plan.load(path))),
        "parts": (_parts(folder), lambda path: len(Trace.open(path.parent).frame.collect())),
        "score": (_score(folder), lambda path: str(KeptScore.read(path).score.flat())),
        "cluster": (_cluster(folder), lambda path: repr(Cluster.load(path))),
        "sweep": (_sweep(folder), lambda path: repr(read_sweep(path))),
        "prices": (_prices(folder), lambda path: repr(load_prices(path))),
        "steps": (_steps(folder, "csv"), lambda path: read_samples(path).to_dicts()),
        "table": (_steps(folder, "parquet"), lambda path: read_samples(path).to_dicts()),
        "manifest": (runs / "manifest.json", lambda path: repr(Manifest.read(path.parent))),
        "trace": (folder / "a.trace", lambda path: Trace.open(path).frame.collect().to_dicts()),
        "run": (next(runs.glob("r0__*")), lambda path: _shown(path.parent)),
    }


def _requests(folder: Path) -> Path:
    coefficients = {name: {"0.5": stump(0, 500.0, 0.1, 0.4)} for name in ("ttft_s", "tpot_s")}
    made = RequestModel(name="r", features=("input_tokens",), coefficients=coefficients)
    made.save(folder / "requests.json")
    return folder / "requests.json"


def _plan(folder: Path, trace: Trace) -> Path:
    cluster = Cluster.uniform(1, "h100-llama-3.1-8b")
    made = wl.plan(trace, cluster, slo="ttft=1", routers="round_robin")
    (folder / "plan.json").write_text(made.to_json())
    return folder / "plan.json"


def _parts(folder: Path) -> Path:
    log = folder / "log.csv"
    for hour in (9, 10):
        rows = [f"2026-03-02 {hour:02}:00:0{k},10,20" for k in range(3)]
        log.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]))
        words = ["ingest", log, "-o", folder / "growing", "--append", "-q"]
        subprocess.run([sys.executable, "-m", "workloadlab", *map(str, words)], check=True)
    return folder / "growing" / "parts.json"


def _score(folder: Path) -> Path:
    trace = requests_every(0.5, 40)
    wl.sweep(trace, Cluster.uniform(1, "h100-llama-3.1-8b"), routers="random", out=folder / "sweep")
    return next(path for path in (folder / "sweep").glob("*.json") if path.name != "manifest.json")


def _cluster(folder: Path) -> Path:
    (folder / "cluster.toml").write_text(CLUSTER)
    return folder / "cluster.toml"


def _sweep(folder: Path) -> Path:
    (folder / "sweep.toml").write_text(SWEEP)
    return folder / "sweep.toml"


def _prices(folder: Path) -> Path:
    (folder / "prices.toml").write_text(PRICES)
    return folder / "prices.toml"


def _steps(folder: Path, ending: str) -> Path:
    steps = random_steps(60)
    write_samples(samples_of(steps, 0.01 + 1e-5 * steps.sum(axis=1)), folder / f"steps.{ending}")
    return folder / f"steps.{ending}"


def _shown(folder: Path) -> list[Any]:
    return [trace.frame.collect().to_dicts() for _, trace in Runs.open(folder)]


def flips(path: Path, use: Use, count: int, draw: random.Random) -> tuple[int, int, int]:
    """Return how many flipped bits were refused, read as before, and read as something else."""
    whole, shown = path.read_bytes(), use(path)
    refused = same = other = 0
    try:
        for _ in range(count):
            path.write_bytes(flipped(whole, draw.randrange(len(whole) * 8)))
            try:
                found = use(path)
            except WorkloadlabError:
                refused += 1
            else:
                same, other = same + (found == shown), other + (found != shown)
    finally:
        path.write_bytes(whole)
    return refused, same, other


def main() -> None:
    count, seed = (int(word) for word in (sys.argv[1:] + ["1000", "0"][len(sys.argv[1:]) :])[:2])
    asked = sys.argv[3:]
    draw, start = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for name, (path, use) in artefacts(Path(folder)).items():
            if asked and name not in asked:
                continue
            if path.suffix in (".json", ".toml", ".csv"):
                verdict = attack(path, use, count, draw)
                lost = sum(verdict.uncaught.values())
                print(f"{name:<9} {count} mutants: {verdict['refused']} refused, "
                      f"{verdict['accepted']} accepted, {lost} uncaught", flush=True)  # fmt: skip
                for what, times in verdict.uncaught.items():
                    print(f"  {times} x {what}")
            if path.suffix in (".toml", ".csv"):
                continue  # without a digest, a flipped bit is another value
            refused, same, other = flips(path, use, count // 4, draw)
            print(f"{name:<9} {count // 4} flipped bits: {refused} refused, {same} read as before, "
                  f"{other} read as something else", flush=True)  # fmt: skip
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
