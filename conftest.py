"""Which files of the package have no examples to run here."""

from importlib.util import find_spec

NEED_TORCH = [
    "workloadlab/latency/measurement/decoder.py",
    "workloadlab/latency/measurement/timing.py",
]
"""They import PyTorch, which comes with the extra `measure`. Any other file that cannot be imported is
an error of the collection."""

collect_ignore = [] if find_spec("torch") else NEED_TORCH
