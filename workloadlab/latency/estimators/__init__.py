"""Ways to model step time: one value of `Estimator` in a file each, by name in the registry.

Start with `estimator.py`, which says what such a value holds; then `linear.py`: `table.py` corrects
it by grids, `forest.py` and `boosting.py` by trees, and all three fall back to it outside the
measured steps. `trees.py` walks a tree. A prediction is compiled, since the simulator asks for one
at every step: `linear_kernel.py` and `table_kernel.py` are the compiled parts of their estimators.
To add an estimator, write its file and its name in `registry.py`.
"""
