"""Mutants and flipped bits of every artefact: each is refused in a sentence or read as it was.

`make mutants` runs it. A mutant of a JSON artefact has one value that is gone or nonsense, and no
digest; a flipped bit keeps the digest that was written.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.damage import attack, flipped
from support.learned import RULED
from support.runs import outcome_of, runs_of
from support.traces import requests_every

import workloadlab as wl
from workloadlab.characterization.profile import Profile
from workloadlab.errors import WorkloadlabError
from workloadlab.learning.lengths.predictor import LengthPredictor, fit_lengths
from workloadlab.routing.learned.artefact import LearnedRouter, load_learned
from workloadlab.routing.learned.terms import TERMS
from workloadlab.trace import Runs, Trace
from workloadlab.trace.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    Use = Callable[[Path], Any]


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
        "manifest": (runs / "manifest.json", lambda path: repr(Manifest.read(path.parent))),
        "trace": (folder / "a.trace", lambda path: Trace.open(path).frame.collect().to_dicts()),
        "run": (next(runs.glob("r0__*")), lambda path: _shown(path.parent)),
    }


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
    count, seed = (int(word) for word in (*sys.argv[1:], "1000", "0")[:2])
    draw, start = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for name, (path, use) in artefacts(Path(folder)).items():
            if path.suffix == ".json":
                verdict = attack(path, use, count, draw)
                lost = sum(verdict.uncaught.values())
                print(f"{name:<9} {count} mutants: {verdict['refused']} refused, "
                      f"{verdict['accepted']} accepted, {lost} uncaught", flush=True)  # fmt: skip
                for what, times in verdict.uncaught.items():
                    print(f"  {times} x {what}")
            refused, same, other = flips(path, use, count // 4, draw)
            print(f"{name:<9} {count // 4} flipped bits: {refused} refused, {same} read as before, "
                  f"{other} read as something else", flush=True)  # fmt: skip
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
