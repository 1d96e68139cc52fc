"""Machine code on disk is made again when a function changes that it calls."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

INNER = """
from numba import njit

@njit
def answer():
    return {value}
"""
OUTER = """
from numba import njit
from workloadlab import jit
from pathlib import Path
from room.kernel_inner import answer

jit._PACKAGE = Path(__file__).parent.parent

@njit(cache=True)
{decorator}
def ask():
    return answer()

print(ask())
"""


@pytest.mark.parametrize(("decorator", "later", "said"), [("@jit.stamped", "2", 1), ("", "1", 0)])
def test_an_edit_of_a_kernel_reaches_its_callers(tmp_path, decorator, later, said):
    """numba alone would go on with the old code, which is what the stamp is for.

    Compiling is told of, and nothing is where the code is in the cache.
    """
    room = tmp_path / "room"
    room.mkdir()
    (tmp_path / "routing").mkdir()
    (tmp_path / "routing" / "records.py").touch()
    (room / "kernel_outer.py").write_text(OUTER.format(decorator=decorator))

    def asked(value):
        (room / "kernel_inner.py").write_text(INNER.format(value=value))
        done = subprocess.run(
            [sys.executable, "-c", "import room.kernel_outer"],
            cwd=tmp_path, check=True, capture_output=True, text=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
                 "PYTHONPYCACHEPREFIX": str(tmp_path / str(value))},
        )  # fmt: skip
        return done.stdout.strip(), done.stderr.count("compiling the simulator")

    assert asked(1) == ("1", said)
    assert asked(1) == ("1", 0)
    assert asked(2) == (later, said)
