"""A latency model as a section of the report: how wrong it is, where it was fitted, what steps cost.

Start with `section.py`: what it says and in which order. A figure is one file: `predicted.py`,
`regions.py`, `roofline.py`, `steps.py`; each holds a dataclass that draws itself and the function
that reads the model. `scatter.py` draws measured steps by kind; `operations.py` counts what a step
computes and moves. To add a figure, write its file and name it in `section.py`.
"""
