"""Small files that unfold into large ones: each must be answered in 20 s and 1 GB.

`make bombs` builds them in a temporary folder, meets each in a process of its own, and prints exit code,
seconds and peak memory.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

HEAD = b"TIMESTAMP,ContextTokens,GeneratedTokens\n"
GOOD = b"2023-11-16 18:15:46,1,2\n"
ROW = b'{"timestamp": 1, "input_length": 3, "output_length": 4}\n'
MB = 1 << 20


def packed(path: Path, head: bytes, piece: bytes, megabytes: int) -> Path:
    """Write a head and then one piece again and again, packed."""
    block = piece * (MB // len(piece) + 1)
    with gzip.open(path, "wb", compresslevel=6) as stream:
        stream.write(head)
        for _ in range(megabytes):
            stream.write(block[:MB] if piece.strip() == b"" else block)
    return path


def bombs(folder: Path, scale: float) -> dict[str, list[str]]:
    """Return per bomb the words of the command that meets it."""
    size = max(1, int(1024 * scale))

    def ingest(path: Path) -> list[str]:
        return ["ingest", str(path), "-o", str(folder / "out.trace")]

    deep = b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    (folder / "deep.jsonl").write_bytes(ROW + deep + b"\n" + ROW)
    (folder / "deep.json").write_bytes(deep)
    (folder / "wide.csv").write_bytes(
        b"TIMESTAMP,ContextTokens,GeneratedTokens," + b",".join(b"c%d" % k for k in range(10**6))
        + b"\n2023-11-16 18:15:46,1,2" + b",0" * 10**6 + b"\n"
    )  # fmt: skip
    (folder / "deep_profile.json").write_bytes(deep)
    (folder / "digits.json").write_bytes(b'{"schema_version": ' + b"9" * 10**6 + b"}")
    endless = folder / "endless.sql"
    endless.write_text(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) AS n FROM t"
    )
    from workloadlab.trace import Trace

    trace = Trace.of([(0, 1, 1), (1, 1, 1)]).save(folder / "small.trace").path
    os.mkfifo(folder / "pipe")
    (folder / "runs").mkdir()
    (folder / "runs" / "manifest.json").write_bytes(deep)
    with (folder / "keys.jsonl").open("wb") as stream:
        stream.write(ROW)
        stream.write(json.dumps({f"k{k}": k for k in range(10**6)}).encode() + b"\n")
    pl.DataFrame({f"c{k}": [1] for k in range(20_000)}).write_parquet(folder / "wide.parquet")
    return {
        "blank lines": ingest(packed(folder / "blank.csv.gz", HEAD + GOOD, b"\n", size)),
        "bad rows": ingest(packed(folder / "bad.csv.gz", HEAD + GOOD, b"x,y,z\n", size // 2)),
        "bad JSON": ingest(packed(folder / "bad.jsonl.gz", ROW, b"{\n", size // 4)),
        "stray quotes": ingest(packed(folder / "quotes.csv.gz", HEAD + GOOD, b'"', size // 4)),
        "one line": ingest(packed(folder / "line.csv.gz", HEAD + GOOD, b"1", size)),
        "one JSON line": ingest(packed(folder / "line.jsonl.gz", ROW + b'{"a": "', b"1", size)),
        "columns": ingest(folder / "wide.csv"),
        "keys": ingest(folder / "keys.jsonl"),
        "parquet columns": ingest(folder / "wide.parquet"),
        "deep JSON line": ingest(folder / "deep.jsonl"),
        "deep JSON": ingest(folder / "deep.json"),
        "deep profile": ["report", str(folder / "deep_profile.json")],
        "deep manifest": ["score", str(folder / "runs")],
        "digits": ["report", str(folder / "digits.json")],
        "pipe": ingest(folder / "pipe"),
        "endless query": ["query", str(endless), str(trace), "--time-limit", "5"],
    }


def met(words: list[str], seconds: int) -> tuple[int, float, float, str]:
    """Run a command; return exit code, seconds, peak memory in GB, and its last words."""
    start = time.monotonic()
    code = (
        "import resource, sys\n"
        "from workloadlab.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    limit = 8 << 30
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=seconds,
            check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, seconds, float("nan"), "still running"
    said = done.stderr.strip().splitlines()
    peak = next((int(line.split()[1]) for line in said if line.startswith("peak ")), -1)
    words_said = [line for line in said if not line.startswith("peak ")]
    error = next((line for line in words_said if line.startswith("error")), "ok")
    return done.returncode, time.monotonic() - start, peak / 2**20, error[:90]


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    chosen = sys.argv[2:]
    with tempfile.TemporaryDirectory() as name:
        for bomb, words in bombs(Path(name), scale).items():
            if chosen and bomb not in chosen:
                continue
            code, seconds, peak, said = met(words, 60)
            print(f"{bomb:<16} exit {code:>4} {seconds:6.1f} s {peak:6.2f} GB  {said}", flush=True)


if __name__ == "__main__":
    main()
