"""How sweeps scale: measured with one and two workers of an engine, modelled to a thousand; a page.

    python tests/bench/scaling.py TRACE > docs/explanation/scaling.md

Two processes stand for two nodes of one core each, started as `tests/support/engines.py` does.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.engines import dask_cluster, descendants

from workloadlab.execution import engine_named
from workloadlab.simulation import Cluster
from workloadlab.sweeping import Grid
from workloadlab.sweeping.playing import Unit, play, units_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTERS = ("round_robin", "least_requests", "least_tokens", "least_kv")
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
NODES = (1, 2, 10, 100, 1000)
CORES = 16
CELLS = 100_000
TRACE_BYTES_S = 200e6
STRAGGLER = 1.5
UNIT_S = 5.0
UNITS = 4
ROUNDS = 3


class Measured(NamedTuple):
    """What was measured: seconds of one lane on one core, and of the driver for a result."""

    lanes: int
    lane_s: float
    driver_s: float
    one_s: float
    two_s: float
    load: float


class Overhead(NamedTuple):
    """What an engine takes more than two plain processes, as shares of what these take.

    Attributes:
        unit_s: processor seconds of a unit.
        processor: of all processes together.
        wall: until all units have ended.
    """

    unit_s: float
    processor: float
    wall: float


def grid_of(trace: Path, scales: Any) -> Grid:
    cluster = Cluster.uniform(4, "h100-llama-3.1-8b")
    return Grid.of(trace, cluster, routers=ROUTERS, rate_scale=scales)


def measure(trace: Path) -> Measured:
    grid = grid_of(trace, SCALES)
    cells = grid.cells
    units = units_of(grid, cells, outcomes=False, threads=1, workers=2)
    play(units[0], 1)  # compiled, and read once
    began, busy = time.perf_counter(), time.process_time()
    for unit in units:
        play(unit, 1)
    lane_s = (time.process_time() - busy) / len(cells)
    local_s = time.perf_counter() - began
    with dask_cluster() as (address, _), engine_named("dask", address, threads=1) as engine:
        engine.client.wait_for_workers(2)
        for _ in range(2):  # the first time each worker reads and compiles
            busy, began = time.process_time(), time.perf_counter()
            list(engine.run(play, units))
            driver_s, two_s = time.process_time() - busy, time.perf_counter() - began
    return Measured(len(cells), lane_s, driver_s / len(cells), local_s, two_s, os.getloadavg()[0])


def overhead(trace: Path, lane_s: float) -> Overhead:
    """Compare two Dask workers with two plain processes over the same units, turn and turn about."""
    each = max(1, round(UNIT_S / lane_s / len(ROUTERS))) * len(ROUTERS)
    grid = grid_of(trace, [0.5 + 0.002 * k for k in range(each * UNITS // len(ROUTERS))])
    unit = units_of(grid, grid.cells, outcomes=False, threads=1, workers=1)[0]
    routers = {name: (name, key) for name, key in grid.router_keys.items()}
    shares = [grid.cells[k::UNITS] for k in range(UNITS)]
    units = [replace(unit, cells=tuple(share), routers=routers) for share in shares]
    warm = [replace(one, cells=one.cells[: len(ROUTERS)]) for one in units[:2]]
    plain, engined = [], []
    with (
        multiprocessing.get_context("spawn").Pool(2) as pool,
        dask_cluster() as (address, _),
        engine_named("dask", address, threads=1) as engine,
    ):
        engine.client.wait_for_workers(2)
        alone = partial(pool.map, partial(play, threads=1), chunksize=1)
        shared = lambda each: list(engine.run(play, each))  # noqa: E731
        for run in (alone, shared):
            run(warm * 2)  # each process reads and compiles
        for _ in range(ROUNDS):
            plain.append(taken_s(alone, units))
            engined.append(taken_s(shared, units))
    ratios = [
        [b / a for a, b in zip(*pair, strict=True)] for pair in zip(plain, engined, strict=True)
    ]
    processor, wall = (median(column) - 1 for column in zip(*ratios, strict=True))
    return Overhead(median(busy for busy, _ in plain) / UNITS, processor, wall)


def taken_s(run: Callable[[list[Unit]], Any], units: list[Unit]) -> tuple[float, float]:
    """Return processor seconds, of this process and all that it has started, and wall seconds."""
    busy, began = busy_s(), time.perf_counter()
    run(units)
    return busy_s() - busy, time.perf_counter() - began


def busy_s() -> float:
    ticks = 0
    for pid in [os.getpid(), *descendants(os.getpid())]:
        with suppress(OSError):
            user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def modelled_s(found: Measured, nodes: int, trace_bytes: int) -> tuple[float, float]:
    """Return seconds of a sweep on nodes, and the share of it that is work."""
    work_s = CELLS * found.lane_s / (nodes * CORES)
    unit_s = 64 * found.lane_s / CORES
    read_s = trace_bytes / TRACE_BYTES_S
    collect_s = CELLS * found.driver_s
    total_s = max(work_s + (STRAGGLER - 1) * unit_s + read_s, collect_s)
    return total_s, work_s / total_s


def main(words: list[str]) -> None:
    trace = Path(words[0])
    found = measure(trace)
    over = overhead(trace, found.lane_s)
    print(PAGE.format(
        unit_s=over.unit_s, processor=over.processor, wall=over.wall,
        trace=trace.name, lanes=found.lanes, lane_ms=1e3 * found.lane_s,
        driver_ms=1e3 * found.driver_s, one_s=found.one_s, two_s=found.two_s,
        speed=found.one_s / found.two_s, load=found.load, cores=CORES, cells=CELLS,
        read=TRACE_BYTES_S / 1e6, straggler=STRAGGLER,
        rows="\n".join(
            f"| {nodes:,} | {seconds:,.0f} | {share:.0%} |"
            for nodes in NODES
            for seconds, share in [modelled_s(found, nodes, trace.stat().st_size)]
        ),
    ).rstrip())  # fmt: skip


PAGE = """# How sweeps scale

Written by `python tests/bench/scaling.py TRACE > docs/explanation/scaling.md`.

## Measured

{lanes} runs of `{trace}` on four instances, scores kept, on one machine of two cores (load {load:.0f} at
the end, of other work beside it):

| | |
|---|---|
| one run with its score, processor time | {lane_ms:.0f} ms |
| the driver of a Dask cluster, processor time for each run | {driver_ms:.2f} ms |
| one process, wall time | {one_s:.1f} s |
| two Dask workers of one core, wall time | {two_s:.1f} s, {speed:.2f} times as fast |
| two Dask workers beside two plain processes, units of {unit_s:.1f} s, processor | {processor:+.1%} |
| the same, wall time, which other work moves by tens of percent | {wall:+.1%} |

## Modelled

{cells:,} runs on nodes of {cores} cores, where

- each node reads the trace once, at {read:.0f} MB/s, and compiled code is there already;
- a unit is 64 runs side by side on a node's cores, and the last one takes {straggler} times as long as
  the others (stragglers);
- one driver takes the results in, at the processor time above; it is the merge, for scores are only
  written down;
- nodes do not die. Each death repeats at most a unit.

| nodes | seconds | of it work |
|---|---|---|
{rows}

Where the share of work falls, the driver has become the limit: `--shard` then gives each shard a driver
of its own, and `workloadlab merge` copies files.
"""

if __name__ == "__main__":
    main(sys.argv[1:])
