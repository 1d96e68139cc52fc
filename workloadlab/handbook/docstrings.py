"""What a class says of its attributes."""

from __future__ import annotations

import inspect
import re

__all__ = ["attributes_of", "first_line"]


def attributes_of(cls: type) -> list[tuple[str, str]]:
    """Return the names and words under `Attributes:` of a docstring, in order.

    Example:
        >>> from workloadlab.trace import RunInfo
        >>> attributes_of(RunInfo)[1]
        ('router', "the routing policy's name.")
    """
    text = inspect.getdoc(cls) or ""
    _, _, section = text.partition("Attributes:\n")
    found: list[tuple[str, str]] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break
        named = re.match(r"    ([\w, ]+): (.*)", line)
        if named:
            found.append((named[1], named[2]))
        elif line.strip() and found:
            name, said = found[-1]
            found[-1] = (name, f"{said} {line.strip()}")
    return found


def first_line(thing: object) -> str:
    """Return the first sentence of a docstring."""
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
