"""The estimators that topics share: arrays in, numbers out, each with its one definition.

Start with `measures.py`: quantiles, spread, moments; then `counts.py` and `burstiness.py` for
arrivals, `families.py` and `fits.py` for the shape of lengths and gaps, `shares.py` for how unequal
a total is. `blocks.py`, `caches.py` and `reuse.py` are about prompts; `cache_loops.py` has their
compiled loops. `clock.py` finds the tick of the clock that stamped a log. To add an estimator,
write its file and its slow twin in the tests.
"""
