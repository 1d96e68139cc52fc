"""Lines of text to a table: where its header is, what separates its fields, how it writes numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from workloadlab.ingestion.parsing.fields import (
    COMMA_NUMBER,
    english,
    fields,
    is_preamble,
    records,
)

__all__ = ["PREAMBLE", "Table", "header_at", "table"]

PREAMBLE = 100
"""Lines among which the header is looked for."""
_SEPARATORS = (",", "\t", ";", "|")
_ENGLISH = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True)
class Table:
    """The beginning of a table.

    Attributes:
        keys: names of the columns.
        separator: what stands between fields.
        rows: the first records as text by key; None for what is empty.
        comma: whether a comma is the decimal point.
        escaped: whether a backslash stands before a quote in a quoted field.
        found: whether any line after the header is a record, or the try of one.
    """

    keys: tuple[str, ...]
    separator: str
    rows: tuple[dict[str, str | None], ...]
    comma: bool
    escaped: bool
    found: bool


def header_at(lines: list[str]) -> int | None:
    """Return which line is the header: the first that is neither blank nor said before a table.

    Example:
        >>> header_at(["sep=;", "# of yesterday", "a;b", "1;2"]), header_at(["# A heading", "Text."])
        (2, 0)
    """
    said = [
        (index, line)
        for index, line in enumerate(lines[:PREAMBLE])
        if line.strip() and not is_preamble(line)
    ]
    tabled = [(index, line) for index, line in said if not line.startswith("#")]
    if len(tabled) > 1 and said[0] != tabled[0]:
        counts = [[line.count(each) for each in _SEPARATORS] for _, line in tabled[:2]]
        if any(first == second > 0 for first, second in zip(*counts, strict=True)):
            return tabled[0][0]
    return said[0][0] if said else None


def table(lines: list[str], at: int, most: int) -> Table:
    """Read the beginning of a table.

    Args:
        lines: its first lines.
        at: which of them is the header.
        most: how many records to read.
    """
    title, body = lines[at].strip("\r"), lines[at + 1 :]
    separator = max(_SEPARATORS, key=title.count)
    keys = tuple(name.strip() for name in fields(title, separator))
    found = list(islice((r for _, r in records(body, len(keys), separator)), most))
    escaped = False
    if any('\\"' in line for line in body) and any(isinstance(each, str) for each in found):
        unescaped = "\n".join(body).replace('\\"', '""').split("\n")
        again = list(islice((r for _, r in records(unescaped, len(keys), separator)), most))
        escaped = sum(isinstance(r, str) for r in again) < sum(isinstance(r, str) for r in found)
        found = again if escaped else found
    rows = [each for each in found if not isinstance(each, str)]
    comma = _comma(separator, [text.strip() for row in rows for text in row])
    texts = (
        {
            key: (english(text.strip()) if comma else text.strip()) or None
            for key, text in zip(keys, row, strict=True)
        }
        for row in rows
    )
    return Table(keys, separator, tuple(texts), comma, escaped, bool(found))


def _comma(separator: str, texts: list[str]) -> bool:
    """Say whether a comma is the decimal point; where both may be, semicolons speak for it."""
    if separator == ",":
        return False
    numbers = [text for text in texts if COMMA_NUMBER.fullmatch(text)]
    return bool(numbers) and (
        separator == ";" or not any(_ENGLISH.fullmatch(text) for text in texts)
    )
