"""Where work runs: threads of this process, or the workers of a Dask or a Ray cluster.

Start with `threads.py`, which runs lanes side by side, because compiled lanes release the GIL. A unit is
a piece of work with a plain result, such as a few runs of a sweep; `engines.py` names who runs units,
`units.py` is what a worker does with one, and `dask_engine.py` and `ray_engine.py` are thin layers over
those libraries; `knocking.py` asks by hand whether a cluster answers. `shards.py` splits work without
any engine.
To add an engine, write its file and its row in `engines.py`.
"""

from workloadlab.execution.engines import ENGINES, Engine, Local, engine_named
from workloadlab.execution.shards import Shard
from workloadlab.execution.threads import on_one_thread, run_lanes, watched, watcher, workers

__all__ = [
    "ENGINES",
    "Engine",
    "Local",
    "Shard",
    "engine_named",
    "on_one_thread",
    "run_lanes",
    "watched",
    "watcher",
    "workers",
]
