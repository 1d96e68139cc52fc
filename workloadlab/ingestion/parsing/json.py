"""JSON values to the records in them, and keys to what they hold.

`records` finds the requests in a value, `find` a key in a request; `stream.py` reads large values.
"""

from __future__ import annotations

import ast
import codecs
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from workloadlab.ingestion.parsing.columnar import rows_of
from workloadlab.ingestion.parsing.logfmt import is_logfmt, pairs
from workloadlab.ingestion.parsing.prefixes import LOG_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "LINE", "NOT_JSON", "Doubled", "Record", "find", "leaves", "line_values", "looked_up",
    "numbers_only", "opened_text", "records", "text_of",
]  # fmt: skip

NOT_JSON = "invalid JSON"
LINE = "#line"
"""The step into the line of an entry `[moment, line]`."""
_PAIR_KEYS = ({"key", "value"}, {"name", "value"}, {"key", "type", "value"})
_TYPES = ("string", "int", "double", "bool", "array", "kvlist")
_WRAPPED = {f"{kind}{end}" for kind in _TYPES for end in ("Value", "_value")}
_NUMBERS = {int, float}
"""Types of which `repr` writes what JSON does, five times faster."""
_BEFORE, _AFTER = {b":", b",", b"["}, {b",", b"}", b"]"}


class Frame(NamedTuple):
    """A list element or object: the name of its step, what it is, its number or name."""

    step: str
    value: Any
    number: str


@dataclass(frozen=True)
class Record:
    """One record and what it lies in.

    Attributes:
        value: the record.
        above: what is around it, the outermost first.
        number: which one it is.
    """

    value: Any
    above: tuple[Frame, ...]
    number: str


class Doubled:
    """Makes objects as `json` does, where the last of two equal keys counts, and notes such keys.

    Example:
        >>> doubled = Doubled()
        >>> json.loads('{"n": 1, "n": 2}', object_pairs_hook=doubled), doubled.names
        ({'n': 2}, {'n'})
    """

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make an object."""
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            self.names |= {name for name, count in counts.items() if count > 1}
        return made


def line_values(lines: Iterable[bytes], doubled: Doubled) -> Iterator[Any]:
    """Yield what each line holds that is not blank; None for one that is no JSON."""
    for line in lines:
        text = line.replace(b"\0", b"").removeprefix(codecs.BOM_UTF8).strip().rstrip(b",")
        if text:
            try:
                yield json.loads(text, object_pairs_hook=doubled)
            except (ValueError, RecursionError):
                yield None


def numbers_only(text: bytes) -> bytes:
    """Write NaN and Infinity, which Python writes and JSON does not know, as text; null in lists."""
    for word in (b"NaN", b"Infinity"):
        if word in text:
            text = b"".join(_nulled(text.split(word), word))
    return text


def _nulled(pieces: list[bytes], word: bytes) -> list[bytes]:
    """Put text or null between the pieces where a number stood, the word itself where it was text."""
    made = pieces[:1]
    for after in pieces[1:]:
        before = made[-1]
        sign = before.endswith(b"-")
        start = before[-4:].rstrip(b"- ")[-1:]
        if start in _BEFORE and after[:2].lstrip()[:1] in _AFTER:
            made[-1] = before[:-1] if sign else before
            made.append(b'"%s"' % word if start == b":" else b"null")
        else:
            made.append(word)
        made.append(after)
    return made


def records(value: Any, path: str, zipped: tuple[str, ...], name: str) -> Iterator[Record]:
    """Yield the records of one JSON value.

    Args:
        value: what was read.
        path: the way to its records: `a.b[].c.*[]`; `[]` goes into each element, `*` into each value,
            `=` into each row of a table that is written by column, `#line` into the text of a line
            behind its moment.
        zipped: keys of parallel lists; record i has element i of each.
        name: what the value itself is called.

    Example:
        >>> file = {"run": 7, "ok": [{"n": 1}, {"n": 2}]}
        >>> [(r.value["n"], looked_up(r, "^.run")) for r in records(file, "ok[]", (), "file")]
        [(1, 7), (2, 7)]
    """
    top = Frame("", value, name)
    for record in _walked(top, (), [step for step in path.split(".") if step], name):
        if not zipped:
            yield record
        elif isinstance(record.value, dict):
            lists = {key: each for key in zipped if isinstance(each := record.value.get(key), list)}
            above = (*record.above, Frame("", record.value, record.number))
            for index in range(max(map(len, lists.values()), default=0)):
                values = {key: each[index] for key, each in lists.items() if index < len(each)}
                yield Record(values, above, f"{record.number}-{index}")


def _walked(here: Frame, above: tuple[Frame, ...], steps: list[str], name: str) -> Iterator[Record]:
    if not steps:
        yield Record(opened_text(here.value), above, here.number)
        return
    step, rest, each = steps[0].removesuffix("[]"), steps[1:], steps[0].endswith("[]")
    inner = opened_text(here.value)
    if step == LINE and isinstance(inner, list):
        inner = {LINE: _line(inner)}
    if not isinstance(inner, dict):
        return
    here = here._replace(value=inner)
    if step == "=":
        for index, row in enumerate(rows_of(inner) or []):
            yield from _walked(Frame("=", row, f"{name}-{index}"), (*above, here), rest, name)
        return
    for key, branch in inner.items() if step == "*" else [(step, inner.get(step))]:
        around = (*above, here, *([Frame("*", {}, key)] if step == "*" else []))
        if not each:
            yield from _walked(Frame(key, branch, key), around, rest, name)
        elif isinstance(branch, list):
            for index, element in enumerate(branch):
                yield from _walked(Frame(key, element, f"{name}-{index}"), around, rest, name)


def _line(entry: list[Any]) -> Any:
    """Return the record in an entry of Loki, `[moment, line]`, with the moment in it."""
    moment, line = (*entry[:2], None, None)[:2]
    inner = opened_text(line)
    return {LOG_TIME: moment, **inner} if isinstance(inner, dict) else None


def looked_up(record: Record, key: str) -> Any:
    """Return what a key of a record holds, or None."""
    if key == "#":
        return record.number
    if not key.startswith("^"):
        return find(record.value, key)
    step, _, rest = key[1:].partition(".")
    for frame in reversed(record.above):
        if step and frame.step != step:
            continue
        value = frame.number if rest == "#" else find(frame.value, rest)
        if value is not None:
            return value
    return None


def find(value: Any, key: str) -> Any:
    """Return what a key holds: dots go into objects, JSON in text, lists, and lists of pairs.

    Example:
        >>> find({"meta": '{"a.b": {"c": 1}}'}, "meta.a.b.c")
        1
    """
    if not isinstance(value, dict):
        return None
    if key in value:
        return value[key]
    cut = key.find(".")
    while cut > 0:
        head = key[:cut]
        if head in value:
            inner = value[head]
            if not isinstance(inner, dict):
                inner = opened_text(inner)
                if isinstance(inner, dict):
                    value[head] = inner
            found = _within(inner, key[cut + 1 :])
            if found is not None:
                return found
        cut = key.find(".", cut + 1)
    return None


def _within(value: Any, key: str) -> Any:
    """Return what a key holds in an object, or in the last of a list's objects that has it."""
    if not isinstance(value, list):
        return find(value, key)
    held = (find(each, key) for each in reversed(value) if isinstance(each, dict))
    return next((found for found in held if found is not None), None)


def opened_text(value: Any) -> Any:
    """Return JSON, a Python dict or `key=value` pairs in a text, and pairs in a list, as they say."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return opened_text(json.loads(value))
        except (ValueError, RecursionError):
            return _dict(value) if value.startswith("{'") else value
    if isinstance(value, str) and is_logfmt(value):
        return pairs(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        names = next((pair for pair in _PAIR_KEYS if pair == value[0].keys()), None)
        if names:
            name = min(names - {"value"})
            return {
                pair[name]: _unwrapped(pair.get("value"))
                for pair in value
                if isinstance(pair, dict) and isinstance(pair.get(name), str)
            }
    return value


def _dict(text: str) -> Any:
    """Return a dict as Python prints it, which pandas writes into cells; other text as it is."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _unwrapped(value: Any) -> Any:
    """Return a value of OpenTelemetry without the name of its type."""
    if not (isinstance(value, dict) and len(value) == 1 and value.keys() <= _WRAPPED):
        return value
    [(kind, inner)] = value.items()
    if kind.startswith("array"):
        return [_unwrapped(each) for each in (inner or {}).get("values", [])]
    if kind.startswith("kvlist"):
        return opened_text((inner or {}).get("values", []))
    return inner


def text_of(value: Any) -> str | None:
    """Return a JSON value as the text that a CSV file would hold."""
    if value is None or isinstance(value, str):
        return value
    if type(value) in _NUMBERS:
        return repr(value)
    return json.dumps(value)


def leaves(record: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and value of everything in an object that is no object itself."""
    for name, value in record.items():
        inner = opened_text(value) if isinstance(value, list) else value
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, (*above, name))
        else:
            yield (*above, name), value
