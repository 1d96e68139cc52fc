"""Small tables for people: aligned text and escaped HTML from the same rows."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COLUMNS", "Cell", "Table", "duration", "figure", "wrapped"]

COLUMNS = 80
"""Of a terminal."""

NARROWEST = 24
"""Columns that wrapped words keep at least."""

Cell = str | int | float | None


def figure(value: Cell) -> str:
    """Return a number as people read it; text unchanged, None as a dash.

    Example:
        >>> figure(22361870), figure(5.530422), figure(1020.0), figure(0.0000123), figure(None)
        ('22,361,870', '5.530', '1,020', '1.230e-05', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 1000:
        return f"{value:,.1f}".removesuffix(".0")
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.3e}"
    return f"{value:.4g}" if value == int(value) else f"{value:#.4g}"


def duration(seconds: float) -> str:
    """Return seconds in the units people use.

    Example:
        >>> duration(3501.7), duration(0.25), duration(200_000)
        ('58 min 22 s', '0.2500 s', '2 d 7 h')
    """
    if seconds < 60:
        return f"{figure(seconds)} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, size in units:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


def wrapped(words: str, first: str = "", then: str = "  ") -> str:
    """Return a sentence as lines of 80 columns.

    Args:
        words: the sentence.
        first: what the first line begins with.
        then: what the others begin with.

    Example:
        >>> print(wrapped("a word that ends beyond column eighty goes on in the next line, two in"))
        a word that ends beyond column eighty goes on in the next line, two in
        >>> print(wrapped(f"{'-' * 79} word"))
        -------------------------------------------------------------------------------
          word
    """
    return textwrap.fill(words, COLUMNS, initial_indent=first, subsequent_indent=then)


def _folded(cell: str, width: int) -> list[str]:
    """Return a cell over lines, each as far in as the first."""
    inset = " " * (len(cell) - len(cell.lstrip()))
    return textwrap.wrap(cell, width, subsequent_indent=inset) or [""]


@dataclass(frozen=True)
class Table:
    """A title, a header and rows, the first column of names, the others of numbers; and notes below.

    Attributes:
        title: above it.
        header: one name per column.
        rows: of cells.
        notes: below it, a line each.
        keys: how many first columns say what a row is of.

    Example:
        >>> print(Table("Lengths", ["tokens", "p50"], [["input", 1020], ["output", None]]).text())
        Lengths
          tokens    p50
          input   1,020
          output      -
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    keys: int = 1

    @property
    def width(self) -> int:
        """Columns of a terminal that its widest row takes."""
        return 2 + sum(self._widths) + 2 * (len(self.header) - 1)

    @property
    def _lines(self) -> list[list[str]]:
        return [list(self.header), *([figure(cell) for cell in row] for row in self.rows)]

    @property
    def _widths(self) -> list[int]:
        lines = self._lines
        return [max(len(line[i]) for line in lines) for i in range(len(self.header))]

    def text(self) -> str:
        """Return the table as aligned lines, two spaces in, of 80 columns.

        A table that is wider has its widest column of words wrapped; where that is not enough, further
        columns stand below, behind the keys again.
        """
        parts = ["\n".join(part._aligned()) for part in self._fitting()]
        notes = [wrapped(note, "  ", "    ") for note in self.notes]
        return "\n".join([wrapped(self.title), *parts, *notes])

    def _aligned(self) -> list[str]:
        lines, words = self._lines, self._wordy()
        widths, room = self._widths, COLUMNS - self.width
        if room < 0 and words is not None:
            widths[words] = max(NARROWEST, widths[words] + room)
        found = []
        for line in lines:
            cells = [_folded(cell, width) for cell, width in zip(line, widths, strict=True)]
            for row in zip_longest(*cells, fillvalue=""):
                aligned = (cell.ljust(width) if i in (0, words) else cell.rjust(width)
                           for i, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
                found.append(f"  {'  '.join(aligned)}".rstrip())
        return found

    def _wordy(self) -> int | None:
        """Return the widest column of a table too wide that has words, and can be wrapped."""
        if self.width <= COLUMNS:
            return None
        lines, widths = self._lines, self._widths
        able = [i for i in range(len(self.header))
                if any(" " in line[i] for line in lines[1:]) and widths[i] > NARROWEST]  # fmt: skip
        return max(able, key=widths.__getitem__, default=None)

    def _fitting(self) -> list[Table]:
        """Return the table in parts that fit, each with the columns of keys."""
        words, widths = self._wordy(), self._widths
        if words is not None:
            widths[words] = max(NARROWEST, widths[words] + COLUMNS - self.width)
        groups: list[list[int]] = [[]]
        keys = range(self.keys)
        for column in range(self.keys, len(self.header)):
            taken = sum(2 + widths[i] for i in [*keys, *groups[-1], column])
            if groups[-1] and taken > COLUMNS:
                groups.append([])
            groups[-1].append(column)
        if len(groups) == 1:
            return [self]
        return [
            Table("", [self.header[i] for i in (*keys, *group)],
                  [[row[i] for i in (*keys, *group)] for row in self.rows])
            for group in groups
        ]  # fmt: skip

    def html(self) -> str:
        """Return the table as HTML with every cell escaped."""

        def row(tag: str, cells: Sequence[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        head = row("th", list(self.header))
        body = "".join(row("td", [figure(cell) for cell in cells]) for cells in self.rows)
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead>{head}</thead><tbody>{body}</tbody></table>"
        )
