"""What a mapping file says at one place, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Said"]


@dataclass(frozen=True)
class Said:
    """Something that a mapping file says, and where.

    Attributes:
        path: the file.
        place: such as `columns.e2e.minus[0]`.
        what: the value there.
    """

    path: Path
    place: str
    what: Any

    def inside(self, name: object, what: Any) -> Said:
        """Return what stands under a name, or at a number, in it."""
        place = f"[{name}]" if isinstance(name, int) else f".{name}" if self.place else str(name)
        return Said(self.path, f"{self.place}{place}", what)

    def wrong(self, fix: str) -> UsageError:
        """Make the error that this is not what may stand here."""
        shown = str(self.what) if isinstance(self.what, bool) else repr(self.what)
        return UsageError(
            f"says {self.place} = {shown.lower() if isinstance(self.what, bool) else shown[:60]}",
            where=str(self.path),
            fix=fix,
        )

    def text(self) -> str:
        """Take a text that is not empty."""
        if not isinstance(self.what, str) or not self.what:
            raise self.wrong("write a text in quotes")
        return self.what

    def flag(self) -> bool:
        """Take true or false."""
        if not isinstance(self.what, bool):
            raise self.wrong("write true or false")
        return self.what

    def table(self) -> Mapping[str, Said]:
        """Take a table, each entry with its place."""
        if not isinstance(self.what, dict):
            raise self.wrong("write a table: { key = value }")
        return {name: self.inside(name, value) for name, value in self.what.items()}

    def list(self) -> tuple[Said, ...]:
        """Take a list that is not empty, each element with its place."""
        if not isinstance(self.what, list) or not self.what:
            raise self.wrong("write a list: [a, b]")
        return tuple(self.inside(n, value) for n, value in enumerate(self.what))

    def texts(self) -> tuple[str, ...]:
        """Take a text or number, or a list of them, as the texts that a log would hold."""
        listed = self.list() if isinstance(self.what, list) else (self,)
        for each in listed:
            if not isinstance(each.what, str | int | float):
                raise each.wrong("write a text or a number")
        return tuple(str(each.what).lower() if isinstance(each.what, bool) else str(each.what)
                     for each in listed)  # fmt: skip
