"""How long a characterization takes; nothing here is a test."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 27_000_000
WEEK_NS = 7 * 86_400_000_000_000


def week_of(rows: int, path: Path) -> None:
    """Write a trace the size of a public week of conversations: three columns, a daily cycle."""
    import numpy as np
    import polars as pl

    from workloadlab import Trace

    rng = np.random.default_rng(0)
    at = np.sort(rng.random(rows))
    at -= 0.4 * np.sin(2 * np.pi * 7 * at) / (2 * np.pi * 7)
    frame = pl.DataFrame(
        {
            "arrival_ns": (at * WEEK_NS).astype(np.int64),
            "input_tokens": np.minimum(rng.lognormal(6.6, 1.0, rows), 14_000).astype(np.uint32),
            "output_tokens": rng.lognormal(5.0, 0.9, rows).astype(np.uint32),
        }
    )
    Trace.from_frame(frame).save(path)


def mooncake(path: Path) -> str:
    """Write the published conversation trace, or one of the same size, and say which."""
    import numpy as np
    import polars as pl

    from workloadlab import Trace

    published = Path(os.environ.get("WORKLOADLAB_DATA", "../shared/data"))
    published = published / "mooncake" / "conversation_trace.jsonl.gz"
    if published.is_file():
        with gzip.open(published, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        columns = [
            [row[key] for row in rows]
            for key in ("timestamp", "input_length", "output_length", "hash_ids")
        ]
    else:
        rng = np.random.default_rng(1)
        deep = rng.integers(1, 48, 12_031)
        ids = [[0, *range(i * 64 + 1, i * 64 + int(k))] for i, k in enumerate(deep)]
        stamps = np.sort(rng.integers(0, 3_537_000, 12_031))
        columns = [stamps, deep * 512, rng.integers(1, 900, 12_031), ids]
    arrival, inputs, outputs, blocks = columns
    frame = pl.DataFrame(
        {
            "arrival_ns": pl.Series(arrival) * 1_000_000,
            "input_tokens": inputs,
            "output_tokens": outputs,
            "block_ids": blocks,
            "block_size": [512] * len(blocks),
        }
    )
    Trace.from_frame(frame).save(path)
    origin = "published" if published.is_file() else "generated"
    return f"{origin}, {frame['block_ids'].list.len().sum():,} blocks"


def seconds_of_profile(path: Path, repeats: int) -> float:
    from workloadlab import Trace, characterize

    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        characterize(Trace.open(path))
        taken.append(time.perf_counter() - begin)
    return min(taken)


def large_profile(path: Path) -> tuple[float, float]:
    """Characterize in a process of its own and return seconds and its largest memory in GiB."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bench_characterize as b; "
        "from pathlib import Path; from bench import peak_mib; "
        "print(b.seconds_of_profile(Path(sys.argv[2]), 1), peak_mib() / 1024)"
    )
    words = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def seconds_of_curve(accesses: int) -> float:
    """Stack distances of a generated sequence of block accesses, compiled and warm."""
    import numpy as np

    from workloadlab.characterization.statistics.cache_loops import stack_distances

    rng = np.random.default_rng(2)
    ids = (rng.pareto(0.6, accesses) * 1000).astype(np.int64) % 1_000_000
    tokens = np.ones(accesses, dtype=np.int64)
    stack_distances(ids[:1000], 1_000_000, tokens[:1000])
    begin = time.perf_counter()
    stack_distances(ids, 1_000_000, tokens)
    return time.perf_counter() - begin


def run() -> list[dict]:
    """Measure; each row has name, value, unit and detail."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in (ROWS // 4, ROWS):
            path = Path(folder) / f"{rows}.trace"
            week_of(rows, path)
            seconds, gib = large_profile(path)
            detail = f"{gib:.1f} GiB at most, {seconds / rows * 1e6:.2f} us a row"
            found.append(
                {
                    "name": f"profile of {rows:,} rows",
                    "value": seconds,
                    "unit": "s",
                    "detail": detail,
                }
            )
            path.unlink()
        path = Path(folder) / "blocks.trace"
        detail = mooncake(path)
        found.append(
            {
                "name": "profile of 12,031 rows with blocks",
                "value": seconds_of_profile(path, 3),
                "unit": "s",
                "detail": f"warm; {detail}",
            }
        )
    found.append(
        {
            "name": "LRU curve of 5,000,000 accesses",
            "value": seconds_of_curve(5_000_000),
            "unit": "s",
            "detail": "all sizes, 1 M ids at most, one thread",
        }
    )
    return found
