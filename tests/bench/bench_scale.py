"""What a row costs when a trace is measured part by part, from a million to a billion rows.

    python tests/bench/bench_scale.py 1_000_000 10_000_000 100_000_000

Each trace is generated with the columns of a public year of invocations (Chutes: user, model, function,
instance, start, end, first token, lengths), measured in a process of its own, held against DuckDB's SQL
up to ten million rows, and deleted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BLOCK = 1 << 20
GROUP = 131_072
YEAR_S = 365 * 86_400
LARGEST = 10_000_000
NAMES = {"client_id": 20_000, "model": 500, "task": 4, "instance_id": 3_000, "outcome": 2}


def generate(rows: int, path: Path, *, seed: int = 0) -> None:
    """Write a trace of so many rows, block by block, in flat memory: 31 requests/s, a daily cycle."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workloadlab.trace import Provenance
    from workloadlab.trace.store import FOOTER_KEY

    rng = np.random.default_rng(seed)
    pool = _pool(rng)
    words = {name: pa.array([f"{name[0]}{i}" for i in range(n)]) for name, n in NAMES.items()} | {
        "outcome": pa.array(["ok", "unfinished"])
    }
    types = {"row_id": pa.uint64(), "arrival_ns": pa.int64(), "ttft_ns": pa.int64()}
    types |= {"e2e_ns": pa.int64(), "input_tokens": pa.uint32(), "output_tokens": pa.uint32()}
    types |= dict.fromkeys(("source_format", *NAMES), pa.string())
    types |= {"warmup": pa.bool_(), "flags": pa.uint32()}
    footer = Provenance(reader="generated", t0_unix_ns=1_735_689_600 * 10**9).to_dict()
    schema = pa.schema(list(types.items()), {FOOTER_KEY: json.dumps(footer)})
    now, done = 0, 0
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1,
        use_dictionary=[*NAMES, "source_format", "input_tokens", "output_tokens"],
        column_encoding={"row_id": "DELTA_BINARY_PACKED", "arrival_ns": "DELTA_BINARY_PACKED"},
    ) as writer:  # fmt: skip
        while done < rows:
            n = min(BLOCK, rows - done)
            at = rng.integers(0, BLOCK)
            hour = now / 3.6e12 % 24
            rate = 31.7 * (1 + 0.5 * np.sin(2 * np.pi * hour / 24))
            arrival = now + np.cumsum(rng.standard_exponential(n) * (1e9 / rate)).astype(np.int64)
            now = int(arrival[-1])
            part = {name: np.roll(values, at)[:n] for name, values in pool.items()}
            columns = {
                "row_id": np.arange(done, done + n, dtype=np.uint64),
                "arrival_ns": arrival,
                **{
                    name: part[name]
                    for name in ("ttft_ns", "e2e_ns", "input_tokens", "output_tokens")
                },
                "source_format": pa.DictionaryArray.from_arrays(
                    np.zeros(n, np.int32), ["generated"]
                ),
                **{name: pa.DictionaryArray.from_arrays(part[name], words[name]) for name in NAMES},
                "warmup": np.zeros(n, np.bool_),
                "flags": np.zeros(n, np.uint32),
            }
            arrays = [pa.array(columns[name]).cast(kind) for name, kind in types.items()]
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=GROUP)
            done += n


def _pool(rng):
    """Return a block of rows without their times: longer prompts wait longer, few users send most."""
    import numpy as np

    inputs = np.minimum(rng.lognormal(7.2, 1.3, BLOCK), 131_072).astype(np.uint32)
    outputs = np.minimum(rng.lognormal(5.0, 1.1, BLOCK), 32_768).astype(np.uint32)
    ttft = ((0.1 + inputs / 20_000) * rng.lognormal(0, 0.6, BLOCK) * 1e6).astype(np.int64) * 1000
    decode = (outputs * 0.02 * rng.lognormal(0, 0.3, BLOCK) * 1e6).astype(np.int64) * 1000
    lengths = {"input_tokens": inputs, "output_tokens": outputs}
    places = {
        name: np.minimum(rng.zipf(1.3, BLOCK) - 1, n - 1).astype(np.int32)
        for name, n in NAMES.items()
    }
    places["outcome"] = (rng.random(BLOCK) < 0.01).astype(np.int32)
    return {"ttft_ns": ttft, "e2e_ns": ttft + decode, **lengths, **places}


MEASURE = """
import json, resource, sys, time
from pathlib import Path
from workloadlab import Trace, characterize
begin, wall = time.process_time(), time.perf_counter()
trace = Trace.open(sys.argv[1], verify=False)
profile = characterize(trace, row_limit=int(sys.argv[2]))
print(json.dumps({
    "processor_s": time.process_time() - begin, "wall_s": time.perf_counter() - wall,
    "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    "parts": profile.trace.parts,
}))
profile.save(sys.argv[3])
"""


def measure(path: Path, *, row_limit: int = 1) -> dict:
    """Measure a trace in a process of its own: processor and wall seconds, peak memory, parts."""
    words = [sys.executable, "-c", MEASURE, str(path), str(row_limit), f"{path}.json"]
    said = subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ).stdout
    return json.loads(said)


def headlines(path: Path) -> str:
    """Hold the profile that `measure` saved against DuckDB's SQL, and say how it went."""
    from support.headlines import against_sql, wrong

    import workloadlab as wl

    told = against_sql(wl.Trace.open(path, verify=False), wl.Profile.load(f"{path}.json"))
    off = wrong(told)
    return f"{len(told) - len(off)} of {len(told)} headlines are SQL's" + (
        f"; not {off}" if off else ""
    )


def run(sizes: tuple[int, ...] = (1_000_000, LARGEST)) -> list[dict]:
    """Measure; each row has name, value, unit and detail."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.trace"
            begin = time.process_time()
            generate(rows, path)
            made = time.process_time() - begin
            size = path.stat().st_size / rows
            told = measure(path)
            checked = headlines(path) if rows <= LARGEST else "not held against SQL"
            path.unlink()
            found.append(
                {
                    "name": f"profile of {rows:,} rows in parts",
                    "value": told["processor_s"] / rows * 1e6,
                    "unit": "us of processor time a row",
                    "detail": f"{told['processor_s']:.0f} s of processor time, {told['wall_s']:.0f} s, "
                    f"{told['gib']:.2f} GiB at most, {told['parts']} parts, {size:.1f} bytes a row, "
                    f"generated in {made:.0f} s; {checked}",
                }
            )
    return found


if __name__ == "__main__":
    for row in run(tuple(int(word) for word in sys.argv[1:]) or (1_000_000, LARGEST)):
        print(f"{row['name']}: {row['value']:.3f} {row['unit']} ({row['detail']})", flush=True)
