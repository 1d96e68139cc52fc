"""The functions that were compiled in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workloadlab.jit.store import MachineCode

__all__ = ["BEGUN_S", "COMPILED", "Compiled"]

BEGUN_S = time.time()
"""When this process began to look for machine code."""


@dataclass(frozen=True)
class Compiled:
    """A function that one of the decorators has compiled.

    Attributes:
        kind: the decorator's name.
        dispatcher: numba's function, with the Python function as `py_func`.
        code: its machine code on disk; None if it is a part of its callers, or was typed at a prompt.
    """

    kind: str
    dispatcher: Any
    code: MachineCode | None

    @property
    def name(self) -> str:
        """Module and name of the function."""
        function = self.dispatcher.py_func
        return f"{function.__module__}.{function.__qualname__}"


COMPILED: list[Compiled] = []
"""All functions that were compiled in this process, but those that users wrote."""
