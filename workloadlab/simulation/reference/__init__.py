"""The engine to read: lists and one loop, no tricks; the compiled one must equal it.

Start with `lane.py`: the clock, the arrivals, the router's side; then `instance.py`: one step after the
other; then `batch_formation.py`: who is in a step, who is preempted and put back; then `kv_blocks.py`:
blocks and the prefix cache. `prefix_index.py` is what a router believes to be cached where. Each file
has a twin of its name in `../engine/`. To add a rule to the engines, write it here first, then in the
twin: the tests compare both on generated workloads.
"""
