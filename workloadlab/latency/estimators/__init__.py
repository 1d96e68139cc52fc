"""Ways to model step time: one value of `Estimator` in a file each, by name in `registry`.

`estimator.py` says what such a value holds. `linear` is the first to read: `table` corrects it by
grids, `forest` and `boosting` by trees (`trees`), and all three fall back to it outside the measured
steps. A file `*_kernel` is the compiled part of the estimator of that name.
"""
