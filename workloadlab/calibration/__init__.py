"""Request timings to a latency model: the simulator inside an optimizer.

Start with `calibrate.py`, the whole way. `observe.py` reads a log into the arrays of `observed.py`;
`step_clock.py` counts the engine's steps by its requests, so that `until_cut.py` can end a log where it
was cut. `reconstruction.py` reads first values off overlapping requests; `parameters.py` says what
moves. `problem.py` replays the log with given values and returns the distance to it, `optimizer.py`
brings that to zero, and `task.py` decides which searches are needed. `findings.py` reports
the parameters, with intervals that know the noise of the engine's steps (`noise.py`), `held_out.py` the
errors on later requests, `kv_size.py` the size of a KV cache that nobody wrote down, and `limits.py`
the limits of the cluster that the log contradicts; `summary.py` says all that to people. To add a
parameter, add its row to `parameters.py`.
"""

from workloadlab.calibration.calibrate import calibrate
from workloadlab.calibration.summary import describe, notes_of, tables_of

__all__ = ["calibrate", "describe", "notes_of", "tables_of"]
