"""Which encoding a text has that is no UTF-8, told by the characters that it would hold."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENCODINGS", "encoding_of"]

ENCODINGS = {
    "gb18030": "GB18030",
    "euc_kr": "EUC-KR",
    "cp932": "Shift-JIS",
    "cp1252": "Windows-1252",
}
"""Encodings that are told, with the names that people and iconv know."""
MANY = 12
"""So many characters that all are Korean ones are no Chinese ones."""
USUAL = 0.9
"""The share of characters beyond ASCII that are usual in an encoding that fits."""
LETTERS_IN_A_ROW = 2.5
"""Western words have few accents side by side; other alphabets have nothing else."""
_WESTERN = frozenset(
    "äöüßéèêëàâáãåçñíîïìóôõòøœæúûùýÿ" + "äöüéèêëàâáãåçñíîïìóôõòøœæúûùýÿ".upper()
    + "\xa0\xab\xb0\xb2\xb3\xb5\xb7\xbb\xbf\xa1\xa3\xa7\u20ac\u2018\u2019\u201c\u201d\u2013\u2014\u2026"
)  # fmt: skip


def encoding_of(start: bytes) -> str | None:
    """Return Python's name of a text's encoding; None for UTF-8, and where it cannot be told.

    Args:
        start: the first bytes, which may end within a character.

    Example:
        >>> encoding_of("时间,输入".encode("gb18030")), encoding_of("Größe".encode("latin-1"))
        ('gb18030', 'cp1252')
        >>> encoding_of("日時,モデル".encode("cp932")), encoding_of("时间,输入".encode())
        ('cp932', None)
    """
    if start.isascii() or b"\0" in start or _decoded(start, "utf-8") is not None:
        return None
    rest = start.decode("utf-8", "replace")
    if sum(char > "\x7f" and char != "\ufffd" for char in rest) > rest.count("\ufffd"):
        return None  # UTF-8 with some damage
    shares = {name: _share(start, name) for name in ENCODINGS}
    fits = [name for name, share in shares.items() if share >= USUAL]
    if fits == ["gb18030", "euc_kr"] and len(re.findall(rb"[\x80-\xff]{2}", start)) >= MANY:
        return "euc_kr"  # half of the usual Chinese characters are no Korean ones
    return fits[0] if len(fits) == 1 else None


def _decoded(start: bytes, name: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)("strict").decode(start)
    except UnicodeDecodeError:
        return None


def _share(start: bytes, name: str) -> float:
    """Return how many of the characters beyond ASCII are usual in an encoding; 0 if it cannot be."""
    text = _decoded(start, name) or ""
    beyond = [char for char in text if char > "\x7f"]
    if not beyond or (name == "cp1252" and _in_a_row(text) > LETTERS_IN_A_ROW):
        return 0.0
    return sum(map(_USUAL[name], beyond)) / len(beyond)


def _in_a_row(text: str) -> float:
    rows = re.findall(r"[^\x00-\x7f]+", text)
    return sum(map(len, rows)) / len(rows)


def _chinese(char: str) -> bool:
    first = char.encode("gb2312", "replace")[0]
    return 0xB0 <= first <= 0xD7 or 0xA1 <= first <= 0xA3


def _korean(char: str) -> bool:
    return 0xB0 <= char.encode("euc_kr", "replace")[0] <= 0xC8


def _japanese(char: str) -> bool:
    first = char.encode("shift_jis", "replace")[0]
    return 0x81 <= first <= 0x97


_USUAL: dict[str, Callable[[str], bool]] = {
    "gb18030": _chinese,
    "euc_kr": _korean,
    "cp932": _japanese,
    "cp1252": _WESTERN.__contains__,
}
"""The commoner half of the characters of each."""
