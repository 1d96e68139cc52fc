"""The words in which a mapping file says a value: those of `formats/words.py`, in TOML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.fields import is_whole
from workloadlab.hints import did_you_mean
from workloadlab.ingestion.formats.words import (
    LENGTH,
    PRESENT,
    Apart,
    At,
    Choose,
    Earlier,
    First,
    Joined,
    Minus,
    Only,
    Tokens,
    Total,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloadlab.ingestion.mapping.said import Said

__all__ = ["WORDS", "value"]


@dataclass(frozen=True)
class Word:
    """One way to say a value.

    Attributes:
        about: what it takes.
        example: in TOML.
        make: the value, from what the word is of and what stands beside it.
        must: what must stand beside it.
        may: what may.
    """

    about: str
    example: str
    make: Callable[[Said, Mapping[str, Said]], Value]
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """Return what may stand beside the word."""
        return self.must + self.may


def _place(said: Said | None) -> int | str:
    if said is None or said.what == LENGTH:
        return LENGTH if said else 0
    if not is_whole(said.what, -(2**31)):
        raise said.wrong(f'write a number, -1 for the last, or "{LENGTH}"')
    return int(said.what)


def _only(of: Said, beside: Mapping[str, Said], *, negated: bool) -> Only:
    texts = beside["is"].texts() if "is" in beside else PRESENT
    return Only(value(of), value(beside["of"]), texts, negated=negated)


def _choose(of: Said, beside: Mapping[str, Said]) -> Choose:
    table = {key: word.text() for key, word in beside["table"].table().items()}
    return Choose(value(of), table, beside["otherwise"].text() if "otherwise" in beside else None)


def _apart(of: Said, beside: Mapping[str, Said]) -> Apart:
    return Apart(value(of), *(value(beside[name]) for name in ("part", "other", "whole")))


WORDS: dict[str, Word] = {
    "key": Word(
        "a key of the log; a dot goes into an object, `^name.key` to what lies around the record",
        '{ key = "t", unit = "ms" }',
        lambda of, _: of.text(),
    ),
    "first": Word(
        "the first that is there",
        '{ first = ["completion", "tokens.out"] }',
        lambda of, _: First(_values(of)),
    ),
    "total": Word(
        "the sum; the first must be there, others count 0 where they are not",
        '{ total = ["prompt", "cached"] }',
        lambda of, _: Total(_values(of)),
    ),
    "minus": Word(
        "the time from the second to the first",
        '{ minus = ["done", "t"], unit = "ms" }',
        lambda of, _: Minus(*_pair(of)),
    ),
    "earlier": Word(
        "the first moment, where it comes before the second",
        '{ earlier = ["first_token", "done"], unit = "s" }',
        lambda of, _: Earlier(*_pair(of)),
    ),
    "at": Word(
        "an element of a list: 0 unless `place` says another, -1 the last, or how many there are",
        '{ at = "token_ids", place = "length" }',
        lambda of, beside: At(value(of), _place(beside.get("place"))),
        may=("place",),
    ),
    "added": Word(
        "the sum of a list of numbers",
        '{ added = "chunk_tokens" }',
        lambda of, _: At(value(of), None),
    ),
    "only": Word(
        "a value where the key `of` has one of the texts `is`; any, if none is named",
        '{ only = "ttft", of = "stream", is = ["true"] }',
        lambda of, beside: _only(of, beside, negated=False),
        must=("of",),
        may=("is",),
    ),
    "unless": Word(
        "a value where the key `of` has none of the texts `is`",
        '{ unless = "parent", of = "parent", is = ["-1"] }',
        lambda of, beside: _only(of, beside, negated=True),
        must=("of",),
        may=("is",),
    ),
    "choose": Word(
        "one word for another; a text that the table lacks becomes `otherwise`, or stays as it is",
        '{ choose = "code", table = { 200 = "ok" }, otherwise = "error" }',
        _choose,
        must=("table",),
        may=("otherwise",),
    ),
    "joined": Word(
        "one id of several texts; null where one is missing",
        '{ joined = ["trace", "span"] }',
        lambda of, _: Joined(_values(of)),
    ),
    "apart": Word(
        "a value plus `part`, unless the value and `other` make `whole` already",
        '{ apart = "completion", part = "reasoning", other = "prompt", whole = "total" }',
        _apart,
        must=("part", "other", "whole"),
    ),
    "gaps": Word(
        "when each token came: the first time, then a list of gaps; for `token_offsets`",
        '{ gaps = ["ttft", "itls"], unit = "s" }',
        lambda of, _: Tokens(*_pair(of)),
    ),
    "moments": Word(
        "when each token came: a start, then a list of moments; for `token_offsets`",
        '{ moments = ["t", "token_times"], unit = "s" }',
        lambda of, _: Tokens(*_pair(of), moments=True),
    ),
}
"""What a column of a mapping file may be, beside a plain key."""


def value(said: Said) -> Value:
    """Return the value that is said: a key, or one word with what it is of.

    Raises:
        UsageError: no such word, or not what the word is of.
    """
    if isinstance(said.what, str):
        return said.text()
    known = ", ".join(WORDS)
    if not isinstance(said.what, dict):
        raise said.wrong(f"write a key of the log in quotes, or a table with one of {known}")
    beside = said.table()
    names = [name for name in beside if name in WORDS]
    if len(names) != 1:
        problem = "says more than one word" if names else "has words that no format has"
        raise UsageError(
            f"{problem}: {said.place} = {said.what!r}"[:160],
            where=str(said.path),
            fix=f"write one of {known}",
        )
    [name], word = names, WORDS[names[0]]
    for other in sorted(beside.keys() - {name, *word.beside}):
        raise beside[other].wrong(did_you_mean(other, [*word.beside, "unit"]))
    for other in word.must:
        if other not in beside:
            raise said.wrong(f"say {other} too: {word.example}")
    return word.make(beside[name], beside)


def _values(said: Said) -> tuple[Value, ...]:
    return tuple(value(each) for each in said.list())


def _pair(said: Said) -> tuple[Value, Value]:
    both = _values(said)
    if len(both) != 2:
        raise said.wrong("name two: [a, b]")
    return both[0], both[1]
