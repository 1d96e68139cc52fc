"""The words in which a format says where a value comes from.

A value is a key of the log (`"usage.prompt_tokens"`), or one of these words around keys:

- `first(a, b)`: the first that is there;
- `minus(end, start)`: from one moment to another;
- `apart(value, part, other, whole)`: a value plus a part that may be counted apart from it;
- `total(a, b)`: the sum; the first must be there, the others count 0 where they are not;
- `at(list, n)`: element n of a list; -1 is the last, `LENGTH` is how many there are;
- `added(list)`: the sum of a list of numbers;
- `only(value, key, *texts)`, `unless(value, key, *texts)`: where a key has, or has not, such a text;
- `earlier(a, b)`: moment a, where it comes before moment b;
- `choose(value, table, otherwise)`: one word for another;
- `joined(a, b)`: one id of several texts;
- `gaps(first, list)`, `moments(list, start)`: when each token came, after arrival.

A dot goes into an object, into JSON that stands in a text, into a list of `{key, value}` pairs, and
into the last object of a list that has what follows.
`^name.key` is a key of the list element or object `name` around the record, `^.key` of the nearest
one, and `#` its number or name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = [
    "LENGTH", "PRESENT", "Apart", "At", "Choose", "Earlier", "First", "Joined", "Key", "Minus",
    "Only", "Tokens", "Total", "Value", "added", "apart", "at", "choose", "earlier", "first", "gaps",
    "has", "joined", "lacks", "minus", "moments", "only", "total", "unless",
]  # fmt: skip

Table: TypeAlias = Mapping[Any, str]
LENGTH = "length"
PRESENT = ("*",)
"""The texts of a condition that any text meets."""


@dataclass(frozen=True)
class Key:
    """A key of the log, with the unit of the time in it: s, ms, us, ns or datetime.

    `by_size` says that the unit was told by the size of epochs, so that each may tell its own.
    """

    name: str
    unit: str | None = None
    by_size: bool = False


@dataclass(frozen=True)
class First:
    """The first of several values that is there."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Minus:
    """The time from `start` to `end`, both on one clock."""

    end: Value
    start: Value


@dataclass(frozen=True)
class Total:
    """A sum; null where the first part is."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Apart:
    """A value plus what is counted apart from it, where it and `other` do not make `whole`."""

    value: Value
    part: Value
    other: Value
    whole: Value


@dataclass(frozen=True)
class At:
    """An element of a list, its `LENGTH`, or (None) its sum."""

    list: Value
    place: int | str | None


@dataclass(frozen=True)
class Only:
    """A value where `key` has one of `texts`, or with `negated` where it has none of them."""

    value: Value
    key: Value
    texts: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True)
class Earlier:
    """The moment `value` where it comes before the moment `than`."""

    value: Value
    than: Value


@dataclass(frozen=True)
class Choose:
    """The word that a table gives for a text, or `otherwise`; None as a key stands for no text."""

    value: Value
    table: Table = field(hash=False)
    otherwise: str | None = None


@dataclass(frozen=True)
class Joined:
    """Texts put together: one id of several parts."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Tokens:
    """Times of tokens after arrival: gaps after a first time, or moments after a start."""

    first: Value
    list: Value
    moments: bool = False


Value: TypeAlias = (
    "str | Key | Apart | First | Minus | Total | At | Only | Earlier | Choose | Joined | Tokens"
)


def first(*values: Value) -> First:
    """Take the first that is there."""
    return First(values)


def minus(end: Value, start: Value) -> Minus:
    """Take the time from `start` to `end`."""
    return Minus(end, start)


def total(*values: Value) -> Total:
    """Add the values; the first must be there."""
    return Total(values)


def at(list: Value, place: int | str) -> At:  # noqa: A002
    """Take element `place` of a list, or its `LENGTH`."""
    return At(list, place)


def added(list: Value) -> At:  # noqa: A002
    """Add the numbers of a list."""
    return At(list, None)


def only(value: Value, key: Value, *texts: str) -> Only:
    """Take the value where `key` has one of the texts; any, if none is named."""
    return Only(value, key, texts or PRESENT)


def unless(value: Value, key: Value, *texts: str) -> Only:
    """Take the value where `key` has none of the texts; none at all, if none is named."""
    return Only(value, key, texts or PRESENT, negated=True)


def has(key: Value, *texts: str) -> Only:
    """Ask that a key has one of the texts; any, if none is named."""
    return Only(key, key, texts or PRESENT)


def lacks(key: Value, *texts: str) -> Only:
    """Ask that a key has none of the texts."""
    return Only(key, key, texts or PRESENT, negated=True)


def apart(value: Value, *parts: Value, other: Value, whole: Value) -> Apart:
    """Add to the value those parts of it that are counted apart from it.

    Where `value` and `other` already make `whole`, the parts are inside.
    """
    return Apart(value, Total(parts) if len(parts) > 1 else parts[0], other, whole)


def earlier(value: Value, than: Value) -> Earlier:
    """Take the moment `value` where it comes before `than`."""
    return Earlier(value, than)


def choose(value: Value, table: Table, otherwise: str | None = None) -> Choose:
    """Give one word for another; without `otherwise` a text that the table lacks stays as it is."""
    return Choose(value, table, otherwise)


def joined(*values: Value) -> Joined:
    """Put the texts together; null where one is missing."""
    return Joined(values)


def gaps(first: Value, list: Value) -> Tokens:  # noqa: A002
    """Time the tokens: `first` after arrival, each next one a gap of the list later."""
    return Tokens(first, list)


def moments(list: Value, start: Value) -> Tokens:  # noqa: A002
    """Time the tokens: each moment of the list, counted from `start`."""
    return Tokens(start, list, moments=True)
