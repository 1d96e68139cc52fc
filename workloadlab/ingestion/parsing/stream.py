"""JSON that is read in blocks: its values one by one, the elements of a list in it, its outline.

A large array never enters memory, be it the whole text or inside of a document.
"""

from __future__ import annotations

import codecs
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from workloadlab.ingestion.parsing.json import NOT_JSON, opened_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workloadlab.ingestion.parsing.json import Doubled

__all__ = ["JsonText", "elements", "outlines", "values"]

BLOCK_CHARACTERS = 1 << 20
FIRST, EVERY, MOST = 2_000, 50, 10_000
"""Elements of a long list that an outline keeps: the first ones, and some of those that follow."""
DEPTH = 3
"""How deep in a document lists are read element by element."""
_WHITE = " \t\r\n,\x00\ufeff"


class JsonText:
    """Text of JSON that comes in blocks, and a place in it.

    Args:
        read: gives at most so many bytes, none at the end.
        doubled: notes keys that come twice in an object, which takes longer.
    """

    def __init__(self, read: Callable[[int], bytes], doubled: Doubled | None = None) -> None:
        self.read, self.doubled = read, doubled
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.decoder = json.JSONDecoder(object_pairs_hook=doubled)
        self.text, self.place, self.last = "", 0, False

    def more(self) -> bool:
        """Read another block; False at the end."""
        if self.last:
            return False
        block = self.read(max(BLOCK_CHARACTERS, len(self.text) - self.place))
        self.last = not block
        self.text = self.text[self.place :] + self.decode(block, self.last)
        self.place = 0
        return True

    def next(self) -> str:
        """Go to the next character that is neither white nor a comma; "" at the end."""
        while True:
            while self.place < len(self.text) and self.text[self.place] in _WHITE:
                self.place += 1
            if self.place < len(self.text):
                return self.text[self.place]
            if not self.more():
                return ""

    def held(self) -> tuple[bool, Any]:
        """Return whether the value here was whole in what is read, and that value."""
        try:
            value, end = self.decoder.raw_decode(self.text, self.place)
        except (ValueError, RecursionError):
            if self.last:
                raise
            return False, None
        if end == len(self.text) and not self.last:
            return False, None
        self.place = end
        return True, value

    def value(self) -> Any:
        """Read the value here.

        Raises:
            ValueError: it is no JSON.
        """
        while True:
            whole, value = self.held()
            if whole:
                return value
            self.more()

    def items(self) -> Iterator[Any]:
        """Read the elements of the list here, one by one."""
        self.place += 1
        while (character := self.next()) != "]":
            if not character:
                raise ValueError(NOT_JSON)
            yield self.value()
        self.place += 1

    def members(self) -> Iterator[str]:
        """Yield the keys of the object here; whoever takes one goes on behind its value."""
        self.place += 1
        while (character := self.next()) != "}":
            key = self.value() if character == '"' else None
            if key is None or self.next() != ":":
                raise ValueError(NOT_JSON)
            self.place += 1
            self.next()
            yield key
        self.place += 1


def values(read: Callable[[int], bytes], doubled: Doubled | None = None) -> Iterator[Any]:
    """Yield the JSON values of a stream: one after another, or the elements of an array.

    Raises:
        ValueError: text that is no JSON; what stood before it was yielded.
    """
    return _values(JsonText(read, doubled), JsonText.value)


def outlines(read: Callable[[int], bytes], doubled: Doubled | None = None) -> Iterator[Any]:
    """Yield the values of a stream; of a large one, long lists of objects are thinned.

    Raises:
        ValueError: text that is no JSON; what stood before it was yielded.
    """
    return _values(JsonText(read, doubled), _outline)


def _values(text: JsonText, one: Callable[[JsonText], Any]) -> Iterator[Any]:
    inside = False
    while character := text.next():
        if character == ("]" if inside else "["):
            inside = not inside
            text.place += 1
        else:
            yield one(text)
    if inside:
        raise ValueError(NOT_JSON)


def _outline(text: JsonText, depth: int = DEPTH) -> Any:
    whole, value = text.held()
    if whole:
        return value
    character = text.next()
    if character == "{" and depth:
        pairs = [(key, _outline(text, depth - 1)) for key in text.members()]
        return dict(pairs) if text.doubled is None else text.doubled(pairs)
    if character != "[":
        return text.value()
    found = text.items()
    first = list(islice(found, FIRST))
    if not first or not isinstance(first[0], dict):
        return first + list(found)
    kept = [value for index, value in enumerate(found) if index % EVERY == 0 and index < MOST]
    return first + kept


def elements(text: JsonText, steps: Sequence[str]) -> Iterator[Any]:
    """Yield the elements of the list to which these keys lead in the value here.

    Raises:
        ValueError: text that is no JSON; what stood before it was yielded.

    Example:
        >>> import io
        >>> stream = io.BytesIO(b'{"n": 3, "page": {"rows": [{"at": 1}, {"at": 2}]}}')
        >>> text = JsonText(stream.read)
        >>> text.next(), list(elements(text, ["page", "rows"]))
        ('{', [{'at': 1}, {'at': 2}])
    """
    if not steps and text.next() == "[":
        yield from text.items()
    elif steps and text.next() == "{":
        for key in text.members():
            if key == steps[0]:
                yield from elements(text, steps[1:])
            else:
                _skip(text)
    else:
        yield from _inside(opened_text(text.value()), steps)


def _inside(value: Any, steps: Sequence[str]) -> list[Any]:
    """Return the elements of a list in a value that was text, or pairs."""
    for step in steps:
        value = opened_text(value.get(step)) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def _skip(text: JsonText, depth: int = DEPTH) -> None:
    """Go behind the value here, of which no list enters memory."""
    whole, _ = text.held()
    character = "" if whole else text.next()
    if character == "{" and depth:
        for _ in text.members():
            _skip(text, depth - 1)
    elif character == "[":
        for _ in text.items():
            pass
    elif not whole:
        text.value()
