"""Request timings to a latency model: the simulator inside an optimizer.

Start with `calibrate.py`: the whole way; then `observed.py`: what a log says, and whether it is
enough; then `reconstruction.py`: a first guess without any simulation; then `problem.py`: the
distance between the log and its simulation, which `optimizer.py` makes small. `parameters.py` says
what moves, `task.py` which searches are made, `findings.py` what came out of them. To add a
parameter, add its row to `parameters.py`.
"""

from workloadlab.calibration.calibrate import calibrate
from workloadlab.calibration.findings import describe

__all__ = ["calibrate", "describe"]
