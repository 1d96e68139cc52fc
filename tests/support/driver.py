"""Drives a small sweep in a process of its own: `python -m support.driver ENGINE ADDRESS FOLDER FATE`.

FATE is "dies", after it has measured a trace of many parts, searched for a router and replayed the
first unit of the sweep; or "kills PID", a process with all that it started, after that unit.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from support.engines import end_tree
from support.learning import searched
from support.sweeps import many_parts, small_grid
from workloadlab.characterization.characterize import measure_all
from workloadlab.execution import engine_named
from workloadlab.sweeping import run_sweep

if TYPE_CHECKING:
    from workloadlab.sweeping import Swept


def main(engine: str, address: str, folder: str, fate: str) -> None:
    if fate == "dies":
        partial = measure_all(many_parts(Path(folder)), engine, address)
        Path(folder, "partial").write_bytes(partial.to_bytes())
        with engine_named(engine, address) as runs_on:
            searched(Path(folder, "learned"), runs_on)
    victims = [os.getpid()] if fate == "dies" else [int(pid) for pid in fate.split()[1:]]

    def kill(swept: Swept) -> None:
        while swept.replayed and victims:
            end_tree(victims.pop())

    swept = run_sweep(
        small_grid(Path(folder)), out=Path(folder, "out"), keep="outcomes", engine=engine,
        address=address, show=kill,
    )  # fmt: skip
    print(swept.replayed)


if __name__ == "__main__":
    main(*sys.argv[1:])
