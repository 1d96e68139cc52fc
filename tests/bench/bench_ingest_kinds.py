"""How long ingest takes over a row group of Parquet, long prompts in JSON lines, and block ids."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 3

TIMED = """
import json, sys, time
import polars as pl
import workloadlab as wl
sys.path.insert(0, sys.argv[4])
from bench import peak_mib
def bare(source, target):
    pl.scan_ndjson(source).sink_parquet(target)
call = {"bare": bare, "ingest": wl.ingest}[sys.argv[1]]
wall, processor = time.perf_counter(), time.process_time()
call(sys.argv[2], sys.argv[3])
print(json.dumps([time.perf_counter() - wall, time.process_time() - processor, peak_mib()]))
"""


def write_row_group(path: Path, rows: int = 1_000_000) -> None:
    """Write one row group with the columns of Chutes: ids of 36 characters, datetimes, floats."""
    dice = np.random.default_rng(1)

    def names(count: int) -> pl.Series:
        return pl.Series([str(uuid.UUID(bytes=dice.bytes(16))) for _ in range(count)])

    def some(pool: pl.Series) -> pl.Series:
        return pool.gather(dice.integers(0, pool.len(), rows))

    started = 1_750_000_000_000_000 + np.cumsum(dice.integers(0, 200_000, rows))
    took = dice.integers(100_000, 60_000_000, rows)
    pl.DataFrame(
        {"invocation_id": names(rows),
         "function_name": some(pl.Series(["chat", "chat_stream", "completion", "embed"])),
         "chute_id": some(names(300)), "user_id": some(names(50_000)),
         "rehash_round": dice.integers(1, 4, rows), "instance_id": some(names(5_000)),
         "started_at": pl.Series(started).cast(pl.Datetime("us")),
         "completed_at": pl.Series(started + took).cast(pl.Datetime("us")),
         "it": dice.integers(1, 8_000, rows).astype(float),
         "ot": dice.integers(1, 1_000, rows).astype(float),
         "ct": dice.integers(0, 2, rows).astype(float), "ttft": took / 1e6 * dice.random(rows)}
    ).write_parquet(path, row_group_size=rows)  # fmt: skip


def write_prompts(path: Path, rows: int = 100_000) -> None:
    """Write JSON lines of which nearly all is text: prompts of 700 to 6,000 characters."""
    dice = np.random.default_rng(1)
    words = [f"w{n:05x}" for n in range(5_000)]
    arrivals = 1_750_000_000 + np.cumsum(dice.random(rows))
    with path.open("w") as stream:
        for arrival in arrivals:
            picked = dice.integers(0, len(words), int(dice.integers(100, 900)))
            record = {
                "timestamp": float(arrival), "model": "m",
                "prompt": " ".join(words[each] for each in picked), "prompt_tokens": len(picked),
                "completion_tokens": int(dice.integers(1, 500)),
                "latency_ms": float(dice.integers(100, 9_000)),
            }  # fmt: skip
            stream.write(json.dumps(record) + "\n")


def write_blocks(path: Path, ids: int = 7_000_000) -> None:
    """Write Mooncake's lines: six of ten prompts go on from the beginning of an earlier one."""
    dice = np.random.default_rng(1)
    earlier: list[list[int]] = []
    written = fresh = arrival = 0
    with path.open("w") as stream:
        while written < ids:
            begun: list[int] = []
            if earlier and dice.random() < 0.6:
                old = earlier[int(dice.integers(0, len(earlier)))]
                begun = old[: int(dice.integers(1, min(len(old), 60) + 1))]
            count = int(dice.integers(1, 90))
            blocks = begun + list(range(fresh, fresh + count))
            earlier.append(blocks)
            fresh, written, arrival = fresh + count, written + len(blocks), arrival + 50
            record = {"timestamp": arrival, "input_length": 512 * len(blocks), "output_length": 9}
            stream.write(json.dumps({**record, "hash_ids": blocks}) + "\n")


def timed(what: str, log: Path, folder: Path) -> tuple[float, float, float]:
    """Return seconds, processor seconds and peak MiB of one call in a fresh process."""
    out = folder / f"{what}.parquet"
    command = [sys.executable, "-c", TIMED, what, str(log), str(out), str(Path(__file__).parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, processor, peak = json.loads(done.stdout)
    out.unlink()
    return wall, processor, peak


def measured(name: str, write: Callable[[Path], None], asked: str) -> list[dict[str, Any]]:
    """Measure one kind of log; JSON lines beside polars writing all of their columns as Parquet."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        log = folder / ("log.parquet" if write is write_row_group else "log.jsonl")
        write(log)
        both = ("bare", "ingest") if write is write_prompts else ("ingest",)
        runs = [{what: timed(what, log, folder) for what in both} for _ in range(REPEATS)]
    wall, processor, peak = (median(run["ingest"][n] for run in runs) for n in range(3))
    detail = f"{processor:.2f} s of processor, peak {peak:,.0f} MiB{asked}"
    figures = [{"name": f"ingest of {name}", "value": wall, "unit": "s", "detail": detail}]
    if write is write_prompts:
        for n, clock in enumerate(("wall", "processor")):
            ratio = median(run["bare"][n] / run["ingest"][n] for run in runs)
            figures.append(
                {"name": f"the same relative to scan_ndjson.sink_parquet, by {clock} time",
                 "value": ratio, "unit": "ratio", "detail": "at least 0.5 is asked"}
            )  # fmt: skip
    return figures


def run() -> list[dict[str, Any]]:
    """Measure the kinds of logs."""
    return [
        *measured("a row group of 1 M rows", write_row_group, "; less than 1.5 s is asked"),
        *measured("100,000 long prompts in JSON lines", write_prompts, ""),
        *measured("7 M block ids", write_blocks, "; less than 2 s is asked (71.6 M in 20 s)"),
    ]


if __name__ == "__main__":
    for figure in run():
        print(f"{figure['name']}: {figure['value']:,.2f} {figure['unit']} ({figure['detail']})")
