"""How fast ingest reads ten million rows, beside polars writing the same CSV as Parquet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

ROWS = 10_000_000
BATCH = 1_000_000
REPEATS = 5

TIMED = """
import json, sys, time
import polars as pl
import workloadlab as wl
sys.path.insert(0, sys.argv[4])
from bench import peak_mib
def bare(source, target):
    pl.scan_csv(source).sink_parquet(target)
call = {"bare": bare, "ingest": wl.ingest}[sys.argv[1]]
start = time.perf_counter()
call(sys.argv[2], sys.argv[3])
seconds = time.perf_counter() - start
print(json.dumps([seconds, peak_mib()]))
"""


def write_log(path: Path, rows: int) -> None:
    """Write a log with the columns and the timestamp style of the Azure traces."""
    dice = np.random.default_rng(1)
    tick = 17_001_585_466_805_900
    with path.open("wb") as stream:
        for start in range(0, rows, BATCH):
            size = min(BATCH, rows - start)
            ticks = tick + np.cumsum(dice.integers(0, 700_000, size))
            tick = int(ticks[-1])
            times = pl.Series(ticks * 100).cast(pl.Datetime("ns")).dt
            pl.DataFrame(
                {
                    "TIMESTAMP": times.to_string("%Y-%m-%d %H:%M:%S%.9f").str.head(27),
                    "ContextTokens": dice.integers(1, 8_000, size),
                    "GeneratedTokens": dice.integers(1, 1_000, size),
                }
            ).write_csv(stream, include_header=start == 0, line_terminator="\r\n")


def timed(what: str, log: Path, folder: Path) -> tuple[float, float]:
    """Return seconds and peak MiB of one call in a fresh process."""
    out = folder / f"{what}.parquet"
    command = [sys.executable, "-c", TIMED, what, str(log), str(out), str(Path(__file__).parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout)
    out.unlink()
    return seconds, peak


def run(rows: int = ROWS) -> list[dict[str, Any]]:
    """Measure both, turn about, and report medians, so that other work on the machine weighs little."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log.csv"
        write_log(log, rows)
        megabytes = log.stat().st_size / 1e6
        pairs = [(timed("bare", log, folder), timed("ingest", log, folder)) for _ in range(REPEATS)]
    bare = median(pair[0][0] for pair in pairs)
    ours = median(pair[1][0] for pair in pairs)
    ratio = median(pair[0][0] / pair[1][0] for pair in pairs)
    peak = max(pair[1][1] for pair in pairs)
    detail = f"{rows:,} rows, {megabytes:.0f} MB CSV, {REPEATS} fresh processes each"
    return [
        {"name": "ingest speed", "value": rows / ours, "unit": "rows/s", "detail": detail},
        {
            "name": "ingest speed relative to scan_csv.sink_parquet",
            "value": ratio,
            "unit": "ratio",
            "detail": f"median of pairs; {ours:.2f} s against {bare:.2f} s; at least 0.7 is asked",
        },
        {
            "name": "ingest peak memory",
            "value": peak,
            "unit": "MiB",
            "detail": "the largest of the runs; at most 570 is asked",
        },
    ]


if __name__ == "__main__":
    for figure in run():
        print(f"{figure['name']}: {figure['value']:,.2f} {figure['unit']} ({figure['detail']})")
