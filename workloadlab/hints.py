"""What to say of a name that nobody knows."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]

FEW = 8
"""So many names are read at a glance; of more, a list command is named."""


def did_you_mean(name: str, known: Iterable[str], *, all_of_them: str = "") -> str:
    """Return the fix for a name that nobody knows: at most three that look like it.

    Args:
        name: as it was written.
        known: the names there are.
        all_of_them: where a person finds all names, such as a command; without it, or of few names,
            they are listed where none looks like it.

    Example:
        >>> did_you_mean("lest_requests", ["random", "least_requests", "least_tokens"])
        'did you mean least_requests?'
        >>> did_you_mean("best", ["random", "least_requests"])
        'use random or least_requests'
        >>> did_you_mean("best", [f"router_{n}" for n in range(50)], all_of_them="replay --list-routers")
        'see replay --list-routers'
    """
    by_plain = {_plain(each): each for each in known}
    asked = _plain(str(name))
    near = [plain for plain in by_plain if asked in plain][:3] if len(asked) > 2 else []
    near = near or get_close_matches(asked, by_plain, n=3, cutoff=0.6)
    if near:
        fix = f"did you mean {_either([by_plain[plain] for plain in near])}?"
        return f"{fix} see {all_of_them} for all" if all_of_them else fix
    if all_of_them and len(by_plain) > FEW:
        return f"see {all_of_them}"
    return f"use {_either(list(by_plain.values()))}" if by_plain else "there is none"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
