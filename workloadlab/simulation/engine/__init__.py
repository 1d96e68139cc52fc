"""The compiled engine: the semantics of `../reference/`, fast because a step does not visit its batch.

Start with `lane.py`: from one decision to the next; then `group.py`: from one step to the next;
`instance.py`: what a step brings; `step_times.py`: how long it takes; `decodes/`: who ends when, many
steps in one jump; `batch_formation.py`: what goes into a step, `admission.py` and `preemption.py`: who
comes and who goes. `router_side.py` has the signals, fresh or stale, `replicas.py` the router's queues,
`kv_blocks.py` the prefix cache. `setup.py` lays out a lane's arrays, `run.py` calls it; `lanes/` steps
many at once.
To add an array, add its row to `arrays.py`. Edit the twin in `../reference/` first.
"""
