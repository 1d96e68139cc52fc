"""A user's own format in a TOML file, in the words of `formats/words.py`.

```toml
records = "data.requests[]"             # where requests lie; leave out for one a line
where = { type = ["chat", "completion"] }
block_size = 64
merge_by = "request_id"

[columns]
arrival = { key = "t", unit = "ms" }
e2e = { minus = ["done", "t"], unit = "ms" }
input_tokens = { total = ["prompt", "cached"] }
output_tokens = { first = ["completion", "tokens.out"] }
outcome = { choose = "code", table = { 200 = "ok" }, otherwise = "error" }
```
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.ingestion.columns import targets
from workloadlab.ingestion.formats import Column, Format
from workloadlab.ingestion.formats.words import (
    LENGTH,
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
    has,
)
from workloadlab.ingestion.parsing.dates import DATES
from workloadlab.ingestion.parsing.times import SIZES_NS
from workloadlab.toml_files import read_table

__all__ = ["mapping_file"]

_SIMPLE = {
    "records",
    "merge_by",
    "innermost",
    "rooted",
    "block_size",
    "local_blocks",
    "clock",
    "note",
}
_LISTS: dict[str, Any] = {"first": First, "total": Total, "joined": Joined}
_CONTAINERS = ("csv", "jsonl", "json", "parquet")


def mapping_file(path: str | Path) -> Format:
    """Read a mapping file.

    Raises:
        UsageError: no such file, or words that a format does not have.
        DataError: it is not TOML.
    """
    path = Path(path)
    said = read_table(path, "mapping file")
    columns = said.pop("columns", None)
    if not isinstance(columns, dict) or not columns:
        raise UsageError(
            "has no table [columns]", where=str(path), fix="say which key is which column there"
        )
    by_target = targets({name: str(words) for name, words in columns.items()}, "[columns]")
    made = tuple(
        _column(target, words, path)
        for target, words in zip(by_target, columns.values(), strict=True)
    )
    where = tuple(_condition(key, texts) for key, texts in said.pop("where", {}).items())
    facts: dict[str, Any] = {}
    if "zipped" in said:
        facts["zipped"] = tuple(said.pop("zipped"))
    if "nullable" in said:
        facts["nullable"] = frozenset(targets(dict.fromkeys(said.pop("nullable"), ""), "nullable"))
    if unknown := said.keys() - _SIMPLE:
        known = sorted(_SIMPLE | {"columns", "where", "zipped", "nullable"})
        raise UsageError(
            f"has an unknown key {min(unknown)!r}",
            where=str(path),
            fix=did_you_mean(min(unknown), known),
        )
    return Format(
        name=path.stem, title=str(path), containers=_CONTAINERS, columns=made, where=where,
        **facts, **said,
    )  # fmt: skip


def _condition(key: str, texts: Any) -> Only:
    listed = texts if isinstance(texts, list) else [texts]
    return has(key, *(() if texts is True else (str(text) for text in listed)))


def _column(target: str, words: Any, path: Path) -> Column:
    if isinstance(words, str):
        return Column(target, words)
    unit = words.get("unit")
    if unit is not None and unit not in (*SIZES_NS, *DATES):
        raise UsageError(
            f"has an unknown unit {unit!r}",
            where=str(path),
            fix="use s, ms, us, ns, min, h or datetime",
        )
    return Column(target, _value({k: v for k, v in words.items() if k != "unit"}, path), unit)


def _value(words: Any, path: Path) -> Value:
    if isinstance(words, str):
        return words
    if not isinstance(words, dict) or not words:
        raise _unknown(words, path)
    [name, inner], *more = words.items()
    rest = dict(more)
    if name == "key":
        return str(inner)
    if name in _LISTS:
        made: Value = _LISTS[name](tuple(_value(each, path) for each in inner))
        return made
    if name in ("minus", "earlier"):
        end, start = (_value(each, path) for each in inner)
        return Minus(end, start) if name == "minus" else Earlier(end, start)
    if name in ("only", "unless"):
        texts = tuple(str(text) for text in rest.get("is", ["*"]))
        return Only(_value(inner, path), rest["of"], texts, negated=name == "unless")
    if name == "choose":
        table = {str(key): str(word) for key, word in rest.get("table", {}).items()}
        return Choose(_value(inner, path), table, rest.get("otherwise"))
    if name == "at":
        place = rest.get("place", 0)
        return At(_value(inner, path), LENGTH if place == LENGTH else int(place))
    if name == "added":
        return At(_value(inner, path), None)
    if name in ("gaps", "moments"):
        first, listed = (_value(each, path) for each in inner)
        return Tokens(first, listed, moments=name == "moments")
    if name == "apart":
        parts = {each.name: _value(rest.get(each.name, inner), path) for each in fields(Apart)}
        return Apart(**parts)
    raise _unknown(words, path)


def _unknown(words: Any, path: Path) -> UsageError:
    return UsageError(
        f"has words that no format has: {words!r}",
        where=str(path),
        fix="use key, first, minus, total, at, added, only, unless, earlier, choose, joined, gaps, "
        "moments or apart",
    )
