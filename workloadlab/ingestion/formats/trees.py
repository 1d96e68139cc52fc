"""What can be asked of a value that is written in words: its keys, its name, what is left of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from workloadlab.ingestion.formats.words import (
    PRESENT,
    Apart,
    At,
    Earlier,
    First,
    Joined,
    Key,
    Minus,
    Only,
    Tokens,
    Total,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["keys", "label", "pruned", "rebuilt", "unmet"]

_VALUED = {"end", "start", "list", "value", "key", "than", "first", "part", "other", "whole"}


def keys(value: Value) -> tuple[str, ...]:
    """Return the keys that a value is made from, in order.

    Example:
        >>> from workloadlab.ingestion.formats.words import first, minus
        >>> keys(first("ttft", minus("first_token", "start")))
        ('ttft', 'first_token', 'start')
    """
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Key):
        return (value.name,)
    return tuple(dict.fromkeys(key for part in _parts(value) for key in keys(part)))


def label(value: Value) -> str:
    """Return a value as a person reads it.

    Example:
        >>> from workloadlab.ingestion.formats.words import minus, total
        >>> label(total("input", "cached")), label(minus("end", "start"))
        ('input + cached', 'end - start')
    """
    if isinstance(value, str | Key):
        return keys(value)[0]
    if isinstance(value, First):
        return " or ".join(label(each) for each in value.values)
    if isinstance(value, Total | Joined):
        sign = " + " if isinstance(value, Total) else ", "
        return sign.join(label(each) for each in value.values)
    if isinstance(value, Minus):
        return f"{label(value.end)} - {label(value.start)}"
    if isinstance(value, At):
        return f"{label(value.list)}[{'+' if value.place is None else value.place}]"
    if isinstance(value, Only):
        word = "unless" if value.negated else "where"
        texts = "" if value.texts == PRESENT else f" is {'/'.join(value.texts)}"
        return f"{label(value.value)} {word} {label(value.key)}{texts}"
    if isinstance(value, Earlier):
        return f"{label(value.value)} before {label(value.than)}"
    if isinstance(value, Tokens):
        return f"{label(value.first)}, {label(value.list)}"
    if isinstance(value, Apart):
        return f"{label(value.value)} + {label(value.part)} where apart"
    return label(value.value)


def unmet(asked: Only) -> str:
    """Return why a row that does not meet a condition is left out.

    Example:
        >>> from workloadlab.ingestion.formats.words import has, lacks
        >>> unmet(has("type", "GENERATION")), unmet(has("it")), unmet(lacks("kind", "a", "b", "c", "d"))
        ('type is not GENERATION', 'no it', 'kind is a, b, c or another')
    """
    name = label(asked.key)
    if asked.texts == PRESENT:
        return f"{name} is there" if asked.negated else f"no {name}"
    texts = ", ".join(asked.texts[:3]) + (" or another" if len(asked.texts) > 3 else "")
    return f"{name} is {'' if asked.negated else 'not '}{texts}"


def rebuilt(value: Value, change: Callable[[Key], Value]) -> Value:
    """Return the value with each key changed."""
    if isinstance(value, str | Key):
        return change(Key(value) if isinstance(value, str) else value)
    made: dict[str, Any] = {}
    for each in fields(value):
        part = getattr(value, each.name)
        if each.name == "values":
            made[each.name] = tuple(rebuilt(one, change) for one in part)
        elif each.name in _VALUED:
            made[each.name] = rebuilt(part, change)
    return replace(value, **made)


def pruned(value: Value, has: Callable[[str], bool]) -> Value | None:
    """Return what is left of a value in a file that lacks some of its keys; None for nothing."""
    if isinstance(value, str | Key):
        return value if has(keys(value)[0]) else None
    inner: dict[str, Any] = {
        each.name: pruned(part, has)
        for each in fields(value)
        if each.name in _VALUED and (part := getattr(value, each.name)) is not None
    }
    if isinstance(value, First | Total | Joined):
        left = tuple(one for each in value.values if (one := pruned(each, has)) is not None)
        first_is_there = pruned(value.values[0], has) is not None
        if not left or (isinstance(value, Total) and not first_is_there):
            return None
        if isinstance(value, Joined):
            return replace(value, values=left) if len(left) == len(value.values) else None
        return left[0] if len(left) == 1 else replace(value, values=left)
    if isinstance(value, Only | Earlier):
        asked = inner["key" if isinstance(value, Only) else "than"]
        kept: Value | None = inner["value"]
        if kept is None or asked is not None:
            return None if kept is None else replace(value, **inner)
        return kept if isinstance(value, Earlier) or value.negated else None
    if isinstance(value, Apart):
        kept = inner["value"]
        if kept is None or inner["part"] is None:
            return kept
        if inner["other"] is None or inner["whole"] is None:
            return Total((kept, inner["part"]))
        return replace(value, **inner)
    return None if None in inner.values() else replace(value, **inner)


def _parts(value: Value) -> list[Value]:
    found: list[Value] = []
    for each in fields(value):  # type: ignore[arg-type]
        part = getattr(value, each.name)
        if each.name == "values":
            found += part
        elif each.name in _VALUED:
            found.append(part)
    return found
