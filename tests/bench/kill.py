"""Kills replays and ingests at random moments: nothing is mixed, nothing is lost, nothing is left over.

`make kill` runs it. Each round starts a command on an output that holds earlier results, kills it with
SIGKILL after a random time, and opens what is there: the old results, whole, or the new ones, whole.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workloadlab.errors import WorkloadlabError
from workloadlab.trace import Runs, Trace

CLUSTERS = (0.010, 0.020)
LOG_ROWS = 40_000


def cluster_file(folder: Path, step_s: float) -> Path:
    """Write a cluster whose steps take so long; two of them must never share a folder of runs."""
    from workloadlab import LatencyModel

    model, path = folder / f"{step_s}.json", folder / f"{step_s}.toml"
    LatencyModel.linear(constant_s=step_s).save(model)
    path.write_text(f'[[pool]]\ninstances = 2\nlatency = "{model.name}"\n')
    return path


def command(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "workloadlab", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def killed_after(process: subprocess.Popen[bytes], seconds: float, number: int) -> bool:
    """Kill a process after a time; say whether it was still running."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        process.wait(10)
        return True
    return False


def step_of(runs: Runs) -> set[str]:
    """Return which clusters the runs of a folder were replayed on: their outcomes tell."""
    clusters = [runs.cluster, *(trace.provenance.options["cluster"] for _, trace in runs)]
    return {json.dumps(cluster, sort_keys=True) for cluster in clusters}


def attack_replays(folder: Path, rounds: int, draw: random.Random) -> dict[str, int]:
    log = [(k * 0.05, 50, 20) for k in range(400)]
    trace = Trace.of(log).save(folder / "log.trace").path
    files = [cluster_file(folder, step_s) for step_s in CLUSTERS]
    out, counts = folder / "runs", {"kills": 0, "mixed": 0, "lost": 0, "left over": 0}
    words = ("--router", "random,round_robin,least_requests", "--seeds", 3, "-o", out)
    command("replay", trace, "--cluster", files[0], *words).wait()
    start = time.monotonic()
    command("replay", trace, "--cluster", files[1], *words, "--overwrite").wait()
    usual_s = time.monotonic() - start
    for k in range(rounds):
        process = command("replay", trace, "--cluster", files[k % 2], *words, "--overwrite")
        number = signal.SIGKILL if k % 3 else signal.SIGTERM
        wait_s = draw.uniform(0.5, 1.05) * usual_s
        counts["kills"] += killed_after(process, wait_s, number)
        try:
            runs = Runs.open(out)
            counts["mixed"] += len(step_of(runs)) != 1 or len(runs) != 9
        except WorkloadlabError:
            counts["lost"] += 1
    command("replay", trace, "--cluster", files[0], *words, "--overwrite").wait()
    counts["left over"] = len(list(out.iterdir())) - 10
    return counts


def attack_ingests(folder: Path, rounds: int, draw: random.Random) -> dict[str, int]:
    log, out = folder / "log.csv", folder / "traces"
    out.mkdir()
    moments = list(range(LOG_ROWS))
    draw.shuffle(moments)
    rows = "".join(f"{k},7,3,tenant-{k % 50}\n" for k in moments)
    log.write_text("arrival,input_tokens,output_tokens,tenant_id\n" + rows)
    words = ("ingest", log, "-o", out / "a.trace", "--unit", "arrival=s")
    words += tuple(
        word for name in ("arrival", "input_tokens", "output_tokens", "tenant_id")
        for word in ("--map", f"{name}={name}")
    )  # fmt: skip
    counts = {"kills": 0, "lost": 0, "left over": 0}
    start = time.monotonic()
    command(*words).wait()
    usual_s = time.monotonic() - start
    whole = Trace.open(out / "a.trace").path.read_bytes()
    for k in range(rounds):
        number = signal.SIGKILL if k % 3 else signal.SIGTERM
        process = command(*words)
        counts["kills"] += killed_after(process, draw.uniform(0.4, 1.05) * usual_s, number)
        counts["lost"] += Trace.open(out / "a.trace").path.read_bytes() != whole
    command(*words).wait()
    counts["left over"] = len(list(out.iterdir())) - 1
    return counts


def main() -> None:
    rounds, seed = (int(word) for word in (*sys.argv[1:], "200", "0")[:2])
    draw, start = random.Random(seed), time.monotonic()
    for name, attack in {"replay": attack_replays, "ingest": attack_ingests}.items():
        with tempfile.TemporaryDirectory() as folder:
            counts = attack(Path(folder), rounds // 2, draw)
            print(f"{name}: " + ", ".join(f"{n} {what}" for what, n in counts.items()), flush=True)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
