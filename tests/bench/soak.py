"""Many requests through ingest, characterize, 8 lanes and score, in bounded, flat memory; `make soak`.

    python tests/bench/soak.py 50_000_000 1800

The log is ingested and characterized as a whole, each by a command of its own. The lanes (four routers
at two rates) and their scores take it stretch by stretch, in one process, and go round again until so
many seconds have passed: the outcomes of one replay of 50 M requests through 8 lanes would take 75 GB.
Exits with 1 where a process takes more than 6 GB, or the last stretches take more memory than the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

BLOCK = 1_000_000
"""Requests that are written, or replayed through all lanes, at a time; a tenth of a small soak."""

MOST_BYTES = 6e9
FLAT = 1.05
ROUTERS = ("round_robin", "random", "least_requests", "least_tokens")
SCALES = (1.0, 1.5)
RATE_RPS = 30.0
ROW_LIMIT = 10_000_000
WARM = 2
"""Stretches after which memory should not grow."""


def write_log(path: Path, requests: int) -> None:
    """Write a CSV log block by block: users with sessions, lengths, times that were recorded."""
    import numpy as np
    import polars as pl

    rng, now = np.random.default_rng(0), 0.0
    with path.open("wb") as stream:
        for start in range(0, requests, BLOCK):
            n = min(BLOCK, requests - start)
            arrival = now + np.cumsum(rng.exponential(1 / RATE_RPS, n))
            now = float(arrival[-1])
            outputs = rng.lognormal(5.0, 0.9, n).astype(np.int64) + 1
            ttft = rng.lognormal(-2.0, 0.5, n)
            user = rng.integers(0, 20_000, n)
            rows = pl.DataFrame(
                {
                    "timestamp": arrival, "tenant_id": user % 50,
                    "session_id": user + 20_000 * (arrival // 3600).astype(np.int64),
                    "input_tokens": rng.lognormal(6.5, 1.1, n).astype(np.int64) % 30_000 + 1,
                    "output_tokens": outputs, "ttft_s": ttft.round(6),
                    "e2e_s": (ttft + 0.02 * outputs).round(6),
                }
            )  # fmt: skip
            rows.write_csv(stream, include_header=start == 0)


def command(folder: Path, *words: str) -> str:
    """Run a command, and say what it took; end if it took too much."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "workloadlab", *words, "-q"], cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{words[0]} ended with {process.returncode}")
    peak = used.ru_maxrss * 1024
    if peak > MOST_BYTES:
        sys.exit(f"{words[0]} took {peak / 1e9:.2f} GB")
    return (
        f"{words[0]}: {time.perf_counter() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of "
        f"processor time, {peak / 1e9:.2f} GB at most"
    )


def resident_bytes() -> int:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def replayed(path: Path, block: int, seconds: float) -> list[int]:
    """Replay and score stretch by stretch; return the memory after each."""
    import polars as pl

    import workloadlab as wl

    trace, began, held, lanes = wl.Trace.open(path), time.perf_counter(), [], 0
    cluster = wl.Cluster.uniform(4, "h100-llama-3.1-8b")
    while True:
        for start in range(0, trace.requests, block):
            stretch = trace.filter(pl.col("row_id").is_between(start, start + block - 1))
            runs = wl.replay(stretch, cluster, routers=ROUTERS, rate_scale=SCALES)
            best = min(wl.score(runs).runs, key=lambda run: run.ttft_s.mean)
            lanes += len(runs)
            del runs
            held.append(resident_bytes())
            took = time.perf_counter() - began
            print(f"  {took:5.0f} s, {lanes:,} lanes of {len(stretch):,} requests: "
                  f"{held[-1] / 1e9:.2f} GB, best {best.router}", flush=True)  # fmt: skip
        if took > seconds:
            return held


def main() -> None:
    given = sys.argv[1:]
    requests, seconds = map(int, [*given, *("50_000_000", "1800")[len(given) :]])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder / "log.csv", requests)
        print(f"{requests:,} requests, a log of {(folder / 'log.csv').stat().st_size / 1e9:.2f} GB")
        print(command(folder, "ingest", "log.csv", "-o", "log.trace"), flush=True)
        limit = ("--row-limit", str(ROW_LIMIT))
        print(command(folder, "characterize", "log.trace", *limit, "-o", "p.json"), flush=True)
        held = replayed(folder / "log.trace", min(BLOCK, -(-requests // 10)), seconds)
    peak = max(held)
    later = held[WARM:] or held
    third = max(1, len(later) // 3)
    first, last = median(later[:third]), median(later[-third:])
    print(f"8 lanes and scores: {peak / 1e9:.2f} GB at most; {first / 1e9:.2f} GB in the first third, "
          f"{last / 1e9:.2f} GB in the last")  # fmt: skip
    if peak > MOST_BYTES or last > FLAT * first:
        sys.exit("memory is not bounded, or not flat")


if __name__ == "__main__":
    main()
