"""Lines of text to a table: where its header is, what separates its fields."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from workloadlab.ingestion.parsing.fields import fields, is_preamble, records

__all__ = ["PREAMBLE", "Table", "as_row", "header_at", "table"]

PREAMBLE = 100
"""Lines among which the header is looked for."""
_SEPARATORS = (",", "\t", ";", "|")


@dataclass(frozen=True)
class Table:
    """The beginning of a table.

    Attributes:
        keys: names of the columns.
        separator: what stands between fields.
        rows: the first records as text by key; None for what is empty.
        escaped: whether a backslash stands before a quote in a quoted field.
        tried: how many lines after the header are a record, or the try of one.
    """

    keys: tuple[str, ...]
    separator: str
    rows: tuple[dict[str, str | None], ...]
    escaped: bool
    tried: int


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
    texts = tuple(as_row(keys, row) for row in rows)
    return Table(keys, separator, texts, escaped, len(found))


def as_row(keys: tuple[str, ...], record: list[str]) -> dict[str, str | None]:
    """Return the fields of a record by key; None for what is empty.

    Example:
        >>> as_row(("a", "b"), [" 1", ""])
        {'a': '1', 'b': None}
    """
    return {key: text.strip() or None for key, text in zip(keys, record, strict=True)}
