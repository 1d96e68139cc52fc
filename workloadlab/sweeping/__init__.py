"""Routers x rates x seeds x clusters x sizes: every run of a trace that a question asks for, each once.

Start with `sweep.py`, the call; then `grid.py`, which lists the cells, one run each, and `keys.py`, the
digest of all that a cell is made from: an unchanged cell is not run again. `playing.py` is what a unit
of cells does, on this machine or on a worker of an engine (`execution/`); `folder.py` keeps what came
out, as a folder of runs, and `merge.py` joins the folders of shards. `sweep_file.py` reads `sweep.toml`.
To add an axis, add it to `grid.py`, to the key of a cell, and to `sweep_file.py`.
"""

from workloadlab.sweeping.grid import Grid
from workloadlab.sweeping.merge import merge
from workloadlab.sweeping.sweep import Swept, run_sweep, sweep
from workloadlab.sweeping.sweep_file import read_sweep

__all__ = ["Grid", "Swept", "merge", "read_sweep", "run_sweep", "sweep"]
