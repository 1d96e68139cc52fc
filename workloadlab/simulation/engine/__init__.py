"""The compiled engine: the semantics of `../reference/`, fast because a step does not visit its batch.

Start with `lane.py`: from one decision to the next; then `instance.py`: a step, and a run of steps
in one jump; then `batch_formation.py`: what goes into a step, and who is preempted.
`router_side.py` has the signals, fresh or stale, `replicas.py` the router's queues, `kv_blocks.py`
the prefix cache, `decodes.py` who ends when. `setup.py` lays out a lane's arrays, `run.py` calls it.
To add an array, add its row to `arrays.py`. Edit the twin in `../reference/` first.
"""
