"""Ways to model step time: one value of `Estimator` in a file each, by name in the registry.

Start with `estimator.py`, which says what such a value holds; then `linear.py`: `table.py` corrects
it by grids, `forest.py` and `boosting.py` by trees, and all three fall back to it outside the
measured steps. `trees.py` lays trees out. A prediction is compiled, since the simulator asks for one
at every step: an estimator names its compiled part, such as `linear_kernel.py`, which is imported when
it is first asked for, so that a model can be read without it. To add an estimator, write its file, its
compiled part, and its name in `registry.py`.
"""
