"""Every error a user can meet: what went wrong, where, and what to do about it.

Exit codes are part of the interface: 2 usage, 3 invalid data, 4 the machine (no room, no leave).
"""

from __future__ import annotations

__all__ = [
    "ContradictionWarning",
    "DataError",
    "ExtrapolationWarning",
    "MachineError",
    "UnsupportedError",
    "UsageError",
    "WorkloadlabError",
]


class WorkloadlabError(Exception):
    """A mistake that the user can mend; shown as a sentence, never as a traceback.

    Args:
        what: the problem, in one sentence.
        where: file, row, column, value: as much as is known.
        fix: what to do about it.
    """

    exit_code = 3

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(
            (f"{where}: " if where else "") + what + (f"\n  fix: {fix}" if fix else "")
        )

    def _render_traceback_(self) -> list[str]:
        """Return what IPython and Jupyter show in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(WorkloadlabError):
    """An option, name or combination that makes no sense (exit 2)."""

    exit_code = 2


class DataError(WorkloadlabError):
    """A file that can be opened but whose content is invalid (exit 3)."""


class MachineError(WorkloadlabError):
    """The machine has no room, no memory or no leave for what was asked (exit 4)."""

    exit_code = 4


class UnsupportedError(UsageError):
    """A trace or model lacks what an analysis or router needs (exit 2)."""


class ExtrapolationWarning(UserWarning):
    """Steps of a replay leave those of the log that its latency model was calibrated on."""


class ContradictionWarning(UserWarning):
    """A cluster contradicts what a log with timings knows of the engine that served it."""
