"""Step times of a decoder with random weights, measured on the GPU of this machine.

Start with `measure.py`, which goes on where an interrupted measurement stopped; then `plan.py`:
which steps to time, and where more are needed. `decoder.py` does the work of a step in PyTorch,
`timing.py` times it, `journal.py` keeps each line as it is measured. PyTorch comes with the extra
`measure`; only `decoder.py` and `timing.py` need it. To add another kind of machine, write its
timer beside `TorchTimer` in `timing.py`.
"""

from workloadlab.latency.measurement.measure import measure
from workloadlab.latency.measurement.plan import Limits, Shape, planned, refined

__all__ = ["Limits", "Shape", "measure", "planned", "refined"]
