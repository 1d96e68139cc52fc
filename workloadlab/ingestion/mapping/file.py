"""A user's own format in a TOML file, in the words of `formats/words.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.fields import is_whole
from workloadlab.hints import did_you_mean
from workloadlab.ingestion.columns import targets
from workloadlab.ingestion.formats import Column, Format
from workloadlab.ingestion.formats.words import Only, Tokens, has, lacks
from workloadlab.ingestion.mapping.said import Said
from workloadlab.ingestion.mapping.values import value
from workloadlab.ingestion.numbers import TREE
from workloadlab.ingestion.parsing.dates import DATES
from workloadlab.ingestion.parsing.times import SIZES_NS
from workloadlab.toml_files import read_table

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXAMPLE", "FACTS", "mapping_file"]

EXAMPLE = """\
records = "data.requests[]"             # where requests lie; leave out for one a line
where = { type = ["chat", "completion"] }
block_size = 64
merge_by = "request_id"

[columns]
request_id = "id"
arrival = { key = "t", unit = "ms" }
e2e = { minus = ["done", "t"], unit = "ms" }
input_tokens = { total = ["prompt", "cached"] }
output_tokens = { first = ["completion", "tokens.out"] }
outcome = { choose = "code", table = { 200 = "ok" }, otherwise = "error" }
"""
"""A mapping file; the reference shows it."""

_CONTAINERS = ("csv", "jsonl", "json", "parquet")


@dataclass(frozen=True)
class Fact:
    """Something that a mapping file says of the whole log: what for people, and how it is read."""

    about: str
    read: Callable[[Said], Any]


def _block_size(said: Said) -> int | str:
    if not isinstance(said.what, str) and not (is_whole(said.what, 1) and said.what < 2**16):
        raise said.wrong("write 1 to 65535, or the key that says it")
    return said.text() if isinstance(said.what, str) else int(said.what)


def _clock(said: Said) -> str:
    if said.what not in ("client", "gateway", "engine"):
        raise said.wrong('write "client", "gateway" or "engine"')
    return said.text()


def _where(said: Said) -> tuple[Only, ...]:
    return tuple(
        (has if each.what else lacks)(key)
        if isinstance(each.what, bool)
        else has(key, *each.texts())
        for key, each in said.table().items()
    )


def _column_name(said: Said) -> str:
    [name] = targets({said.text(): ""}, said.place)
    return name


FACTS: dict[str, Fact] = {
    "records": Fact(
        "where requests lie in a JSON value: `data.requests[]`; left out, one a line", Said.text
    ),
    "zipped": Fact(
        "keys of parallel lists, of which request i is element i",
        lambda said: tuple(each.text() for each in said.list()),
    ),
    "where": Fact(
        "what a request must have: a key and its text, several in a list, true for any or false for "
        'none; a truth value of the log is a text, `"true"`',
        _where,
    ),
    "merge_by": Fact("column; rows with one value in it are one request", _column_name),
    "neighbours": Fact("merge only rows that follow each other", Said.flag),
    "innermost": Fact("leave out a row whose `_id` is another's `_parent`", Said.flag),
    "rooted": Fact("a session is the root of a chain from `_parent` to `_id`", Said.flag),
    "block_size": Fact("tokens per block of block ids, or the key that says it", _block_size),
    "local_blocks": Fact("block ids mean something within their session only", Said.flag),
    "nullable": Fact(
        "columns that a request may lack though others need them",
        lambda said: frozenset(_column_name(each) for each in said.list()),
    ),
    "clock": Fact("whose clock measured: client, gateway or engine", _clock),
    "note": Fact("a sentence that ingest says of such logs", Said.text),
}
"""What a mapping file may say of the whole log, above its table `[columns]`."""


def mapping_file(path: str | Path) -> Format:
    """Read a mapping file.

    Raises:
        UsageError: no such file, or something in it that a format does not have.
        DataError: it is not TOML.
    """
    path = Path(path)
    said = read_table(path, "mapping file")
    words = said.pop("columns", None)
    if not isinstance(words, dict) or not words:
        raise UsageError(
            "has no table [columns]", where=str(path), fix="say which key is which column there"
        )
    if unknown := said.keys() - FACTS.keys():
        raise UsageError(
            f"has an unknown key {min(unknown)!r}",
            where=str(path),
            fix=did_you_mean(min(unknown), [*sorted(FACTS), "columns"]),
        )
    columns = _columns(words, path)
    facts = {name: FACTS[name].read(Said(path, name, what)) for name, what in said.items()}
    _check_together(facts, {column.target for column in columns}, path)
    return Format(
        name=path.stem, title=str(path), containers=_CONTAINERS, columns=columns, own=True, **facts
    )


def _columns(words: dict[str, Any], path: Path) -> tuple[Column, ...]:
    named = {name: what for name, what in words.items() if name not in TREE}
    by_target = targets({name: str(what) for name, what in named.items()}, "[columns]")
    tree = {name: name for name in TREE if name in words}
    return tuple(
        _column(target, Said(path, f"columns.{name}", words[name]))
        for target, name in (tree | dict(zip(by_target, named, strict=True))).items()
    )


def _column(target: str, said: Said) -> Column:
    if not isinstance(said.what, dict):
        return Column(target, value(said))
    rest = {name: what for name, what in said.what.items() if name != "unit"}
    unit = said.what.get("unit")
    if unit is not None and (not isinstance(unit, str) or unit not in (*SIZES_NS, *DATES)):
        raise UsageError(
            f"has an unknown unit {unit!r}",
            where=str(said.path),
            fix="use s, ms, us, ns, min, h or datetime",
        )
    if unit is not None and not target.endswith("_ns"):
        raise said.wrong(f"leave unit out: {target} is no time")
    made = value(Said(said.path, said.place, rest))
    if isinstance(made, Tokens) and target != "token_offsets_ns":
        raise said.wrong("write gaps or moments for token_offsets only")
    return Column(target, made, unit)


def _check_together(facts: dict[str, Any], columns: set[str], path: Path) -> None:
    """Refuse facts about columns that the file does not name."""
    needed: dict[str, set[str]] = {
        "merge_by": {facts.get("merge_by", "")},
        "innermost": {*TREE},
        "rooted": {*TREE},
    }
    for name, columns_needed in needed.items():
        if facts.get(name) and (lacking := columns_needed - columns):
            raise UsageError(
                f"says {name}, and has no column {min(lacking)}",
                where=str(path),
                fix=f"name it in [columns], or leave {name} out",
            )
    if facts.get("neighbours") and "merge_by" not in facts:
        raise UsageError(
            "says neighbours, and not by what they are merged",
            where=str(path),
            fix="say merge_by too",
        )
