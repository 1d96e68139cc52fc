"""Lines of text to the fields of CSV records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BROKEN", "UNCLOSED", "fields", "is_preamble", "raw_fields", "records"]

RECORD_LINES = 10_000
BROKEN = "wrong number of fields"
UNCLOSED = "unclosed quote"


def fields(record: str, separator: str) -> list[str]:
    """Split one CSV record; double quotes protect separators, and themselves when doubled.

    Example:
        >>> fields('1,"a, b",', ",")
        ['1', 'a, b', '']
    """
    if '"' not in record:
        return record.split(separator)
    return [
        text[1:-1].replace('""', '"') if is_quoted(text) else text
        for text in raw_fields(record, separator)
    ]


def raw_fields(record: str, separator: str) -> list[str]:
    """Split one CSV record and leave its quotes."""
    whole: list[str] = []
    inside = False
    for piece in record.split(separator):
        if inside:
            whole[-1] += separator + piece
        else:
            whole.append(piece)
        inside ^= piece.count('"') % 2 == 1
    return whole


def is_quoted(text: str) -> bool:
    """Say whether a raw field stands between quotes."""
    return len(text) > 1 and text[0] == text[-1] == '"'


def is_preamble(line: str) -> bool:
    """Say whether a line tells Excel the separator (`sep=;`) and is no header."""
    return line.strip()[:4].lower() == "sep=" and len(line.strip()) <= 5


def records(lines: list[str], width: int, separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield line number and fields of each record, or the reason why it is none.

    A stray quote must not swallow the rows after it: a record over several lines counts only if it
    has the right width and properly quoted line breaks; else its first line alone is set aside.
    """
    index = 0
    while index < len(lines):
        if not lines[index].strip():
            index += 1
            continue
        end = _closing_line(lines, index)
        text = "\n".join(lines[index:end]).rstrip("\r")
        record = fields(text, separator)
        if end == index or not _sound_breaks(text, separator):
            yield index + 1, UNCLOSED
        elif len(record) != width:
            yield index + 1, BROKEN
        else:
            yield index + 1, record
            index = end
            continue
        index += 1


def _sound_breaks(record: str, separator: str) -> bool:
    return "\n" not in record or all(
        is_quoted(text) for text in raw_fields(record, separator) if "\n" in text
    )


def _closing_line(lines: list[str], index: int) -> int:
    """Return the index after the line that closes the quotes of line `index`, or `index`."""
    inside = False
    for end in range(index, min(len(lines), index + RECORD_LINES)):
        inside ^= lines[end].count('"') % 2 == 1
        if not inside:
            return end + 1
    return index
