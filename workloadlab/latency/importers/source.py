"""The value that a published layout is: its name, a test of paths, and a reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """One published layout. Each module of this folder that reads one calls it `SOURCE`.

    Attributes:
        layout: the path that a user names, in words.
        accepts: says whether a path is of this layout.
        read: returns step samples and facts from a path and the options that it takes.
    """

    layout: str
    accepts: Callable[[Path], bool]
    read: Callable[..., tuple[pl.DataFrame, dict[str, Any]]]
