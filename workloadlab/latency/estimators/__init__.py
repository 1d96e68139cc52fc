"""The estimators of a step's time: what is fitted, and the compiled function that predicts.

Start with `registry.py`, which names them and says what each one holds; then `linear.py`, the
simplest: its terms, its fit, its loop. `table.py` and `roofline.py` stand alone; `forest.py` and
`boosting.py` grow trees on what the linear one leaves, and `trees.py` walks them. A prediction is
compiled, since the simulator asks for one at every step; a fit is not. To add an estimator, write
its file and its row in `registry.py`.
"""
