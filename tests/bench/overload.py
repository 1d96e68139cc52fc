"""How often an overload is called one: replays at loads around saturation, judged by their long run.

    python tests/bench/overload.py chat=chat.trace code=code.trace

Each stretch of a trace is replayed at each load (arrival rate over `wl.saturation`) on several clusters,
and again as several copies in a row. Where over 2 % of the later copies' requests stay in the system,
the load is an overload; under 1 % it is held; between, nobody is asked. The single replay is then asked
for `saturation`, which may say that it is too short to tell, or close to saturation.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import polars as pl

import workloadlab as wl
from workloadlab.scoring.saturation import Saturation, saturation
from workloadlab.scoring.timings import read_timings

MODEL, ROUTER = "rtxpro6000-llama-3.1-8b", "least_requests"
LOADS = (0.7, 0.9, 1.0, 1.1, 1.2, 1.5)
STRETCHES = ((0.0, None), (0.2, 300), (0.4, 1000), (0.35, 3000))
"""Where each begins, as a share of the trace, and its requests; None for all."""

INSTANCES, BATCHES = (1, 4, 16), (64, 256)
SEVERAL, FEW, MANY = 5, 3, 5000
"""Copies of a stretch, and of one with many requests."""

HELD, OVER = 0.01, 0.02
COLUMNS = ("arrival_ns", "input_tokens", "output_tokens", "block_ids")


def stretch(trace: wl.Trace, start: float, requests: int | None) -> pl.DataFrame:
    """Return some requests in a row, the first at 0."""
    frame = trace.read(*(name for name in COLUMNS if trace.has(name))).sort("arrival_ns")
    frame = frame.slice(int(start * len(frame)), requests)
    return frame.with_columns(pl.col("arrival_ns") - pl.col("arrival_ns").min())


def repeated(frame: pl.DataFrame, copies: int) -> tuple[pl.DataFrame, int]:
    """Return copies in a row that share no prefix, and how long one lasts."""
    lasts = int(frame["arrival_ns"].max() * len(frame) / (len(frame) - 1))
    ids = 0
    if "block_ids" in frame.columns:
        ids = int(frame["block_ids"].explode().drop_nulls().max()) + 1
    found = []
    for copy in range(copies):
        moved = [(pl.col("arrival_ns") + copy * lasts)]
        if ids:
            shifted = pl.col("block_ids").list.eval(pl.element() + copy * ids)
            moved.append(shifted.cast(frame.schema["block_ids"]))
        found.append(frame.with_columns(moved))
    return pl.concat(found), lasts


def long_run(runs: wl.Runs, scales: list[float], lasts_ns: int, copies: int) -> list[float]:
    """Return per rate the share of the later copies' requests that stay in the system."""
    found = []
    for (_, outcome), scale in zip(runs, scales, strict=True):
        timings = read_timings(outcome)
        left = timings.arrival_s + np.nan_to_num(timings.e2e_s)
        first = 2 if copies == SEVERAL else 1
        ends = timings.arrival_s.min() + lasts_ns / 1e9 / scale * np.array([first, copies])
        inside = [(timings.arrival_s < end).sum() - (left < end).sum() for end in ends]
        found.append((inside[1] - inside[0]) / len(timings) * copies / (copies - first))
    return found


def judged(trace: wl.Trace, start: float, requests: int | None, instances: int, batch: int):
    """Yield (load, truth, call) of one stretch on one cluster."""
    frame = stretch(trace, start, requests)
    copies = SEVERAL if len(frame) < MANY else FEW
    cluster = wl.Cluster.uniform(instances, MODEL, max_num_seqs=batch)
    once = wl.Trace.from_frame(frame)
    longer, lasts_ns = repeated(frame, copies)
    rate = (len(frame) - 1) / (frame["arrival_ns"].max() / 1e9)
    scales = [round(load * wl.saturation(once, cluster) / rate, 6) for load in LOADS]
    options = {"routers": [ROUTER], "rate_scale": scales, "threads": 1}
    runs = wl.replay(once, cluster, **options)
    truths = long_run(
        wl.replay(wl.Trace.from_frame(longer), cluster, **options), scales, lasts_ns, copies
    )
    for load, truth, (_, outcome) in zip(LOADS, truths, runs, strict=True):
        state = saturation(read_timings(outcome))
        yield load, "over" if truth > OVER else "held" if truth < HELD else "between", called(state)


def called(state: Saturation | None) -> str:
    """Return what a single replay says of its load."""
    if state is None or (state.steady is None and not state.close):
        return "too short"
    return "close" if state.close else "held" if state.steady else "over"


def main() -> None:
    """Print the counts by trace and by load."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="NAME=PATH")
    counts: dict[str, Counter] = {}
    for word in parser.parse_args().traces:
        name, _, path = word.partition("=")
        trace = wl.Trace.open(path)
        for start, requests in STRETCHES:
            if requests and requests > 0.8 * trace.requests:
                continue
            for instances in INSTANCES:
                for batch in BATCHES:
                    for load, truth, call in judged(trace, start, requests, instances, batch):
                        for row in (name, f"x{load:g}", "all"):
                            counts.setdefault(row, Counter())[truth, call] += 1
    for row, found in counts.items():
        print(f"{row:10}", ", ".join(f"{t} called {c}: {found[t, c]}" for t, c in sorted(found)))


if __name__ == "__main__":
    main()
