"""From the head of a log and the user's words to the columns that will be read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.ingestion.doubts.repeated import nested
from workloadlab.ingestion.doubts.unnamed import check_counts, unnamed
from workloadlab.ingestion.doubts.unread import lacking, listed_keys, named_time
from workloadlab.ingestion.formats import FORMATS, GENERIC, Column, Format, refused
from workloadlab.ingestion.formats.generic import ALIASES
from workloadlab.ingestion.formats.trees import keys, label, pruned
from workloadlab.ingestion.formats.words import Minus, Total, Value, has
from workloadlab.ingestion.parsing.dates import DATES, is_datetime
from workloadlab.ingestion.parsing.envelopes import elsewhere, inner_ways
from workloadlab.ingestion.parsing.json import LINE
from workloadlab.ingestion.parsing.times import SIZES_NS, epoch_unit
from workloadlab.ingestion.parsing.values import is_number
from workloadlab.ingestion.readers.packing import encoding
from workloadlab.ingestion.timing import settled, short
from workloadlab.trace import COLUMNS, GIVEN
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.ingestion.head import Head

__all__ = ["named_format", "plan", "recognise", "targets"]

_NOT_FROM_LOGS = {
    "row_id", "source_format", "block_size", "dispatch_ns", "preemptions", "flags",
}  # fmt: skip
MAPPABLE = tuple(name for name in COLUMNS if name not in _NOT_FROM_LOGS)


def named_format(name: str) -> Format:
    """Return the format of this name.

    Raises:
        UsageError: there is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    raise UsageError(
        f"unknown log format {name!r}",
        fix=did_you_mean(
            name, [known.name for known in FORMATS], all_of_them="workloadlab ingest --list-formats"
        ),
    )


def targets(words: Mapping[str, str] | None, option: str) -> dict[str, str]:
    """Complete the user's column names: `ttft` stands for `ttft_ns`.

    Raises:
        UsageError: a name that is no column of a trace, or twice the same.
    """
    named: dict[str, str] = {}
    for word, value in (words or {}).items():
        target = f"{word}_ns" if f"{word}_ns" in MAPPABLE else word
        if target not in MAPPABLE:
            raise UsageError(
                f"{option} {word}={value}: {word} is no column of a trace",
                fix=did_you_mean(word, [short(name) for name in MAPPABLE]),
            )
        if target in named:
            raise UsageError(f"{option} names {short(target)} twice", fix="name it once")
        named[target] = value
    return named


def recognise(head: Head, mapping: Mapping[str, str]) -> Format:
    """Find the format of a log by its keys.

    Raises:
        UsageError: none fits, and the columns are not mapped either.
        DataError: it is known to hold no requests.
    """
    if found := next((known for known in FORMATS if known.sniff(head)), None):
        return found
    values = [record.value for record in head.records]
    ways = inner_ways(values)
    if not mapping:
        if found := _known_elsewhere(head, ways):
            return found
        if not any(way.endswith(LINE) for way in ways):
            refused.check(head)
    found, under = GENERIC, head
    columns = {column.target: column for column in GENERIC.read(head)}
    if "input_tokens" not in columns.keys() | mapping.keys() or ways[:1] == ("*",):
        for way in ways:
            inner = replace(GENERIC, records=way)
            below = head.under(inner)
            read = {column.target: column for column in GENERIC.read(below)}
            if "input_tokens" in read:
                found, under, columns = inner, below, read
                break
    proposed = columns.keys() | mapping.keys()
    if not mapping:
        _refuse_others(head, values, found.records)
        tokens = keys(columns["input_tokens"].source)[0] if "input_tokens" in columns else ""
        refused.check_sums(under, tokens)
    lacking = [name for name in GIVEN if name not in proposed]
    if not lacking:
        return found if mapping else _innermost(under, found, columns)
    timed = _timed_keys(under) or any(map(named_time, (*head.keys, *under.keys)))
    if lacking == ["arrival_ns"] and "output_tokens" in proposed and not timed:
        return replace(found, nullable=frozenset({"arrival_ns"}))
    raise unnamed(head, under, lacking, proposed, _nearest(head), encoding(head.path))


def _innermost(head: Head, found: Format, columns: Mapping[str, Column]) -> Format:
    """Leave out calls around others where both have tokens: the outer ones repeat the inner ones'."""
    tokens = keys(columns["input_tokens"].source)[0]
    own, parent, sure = nested(head, tokens) or ("", "", False)
    if not sure:
        return found
    more = (Column("_id", own), Column("_parent", parent))
    return replace(
        found,
        columns=lambda log: (*GENERIC.read(log), *more),
        where=(has(tokens),),
        innermost=True,
        note="calls around others that have tokens are left out: they repeat those of the inner ones",
    )


def _refuse_others(head: Head, values: Sequence[Any], way: str) -> None:
    """Refuse a document that holds requests in several places, of which one would be read."""
    if count := elsewhere(values, way, frozenset(ALIASES["input_tokens"])):
        raise DataError(
            plural(count, "object with tokens lies", "objects with tokens lie")
            + f" {'outside of ' + way if way else 'in one document'} and would be lost",
            where=str(head.path),
            fix="write one list of requests, or say where they lie: records in a --mapping file",
        )


def _known_elsewhere(head: Head, ways: Sequence[str]) -> Format | None:
    """Find a known format in other letters, or in an envelope: an answer's list, a shipper's field."""
    for known in FORMATS:
        if known.sniff(head.respelled(known)):
            return known
    for way in ways:
        inner = head.under(replace(GENERIC, records=way))
        for known in FORMATS:
            if known.sniff(inner):
                return replace(known, records=f"{way}.{known.records}".rstrip("."))
    return None


def _timed_keys(head: Head) -> list[str]:
    """Return keys whose values look like the time of day."""
    return [
        key
        for key, values in head.samples.items()
        if values
        and all(is_datetime(v) or (is_number(v) and epoch_unit(float(v))) for v in values[:5])
    ]


def _nearest(head: Head) -> str | None:
    """Describe the known format of which the file has most keys, if it has half of them."""
    present = set(head.keys)

    def share(known: Format) -> float:
        return len(known.keys & present) / len(known.keys)

    best = max((known for known in FORMATS if known.keys), key=share)
    if share(best) < 0.5 or len(best.keys & present) < 2:
        return None
    reasons = []
    if lacking := sorted(best.keys - present):
        reasons.append(f"lacks {', '.join(lacking)}")
    if foreign := sorted(best.foreign & present):
        reasons.append(f"has {', '.join(foreign)}")
    if not best.fits(head.container):
        reasons.append(f"is {head.container}, not {' or '.join(best.containers)}")
    return f"{best.name} (this file {'; '.join(reasons)})"


def plan(
    head: Head,
    log_format: Format,
    mapping: Mapping[str, str],
    units: Mapping[str, str],
    *,
    block_size: int | None,
) -> tuple[Column, ...]:
    """Decide which values give which trace column, and every unit.

    A time's unit is what the user says, else what the format fixes, else what the key's name ends
    in, else `datetime` for ISO text; an arrival's magnitude tells epoch seconds from milli-, micro-
    and nanoseconds, and a duration without a unit is told by the tokens beside it, or asked for.

    Raises:
        UsageError: a mapped column or unit that does not fit the file, a unit that nothing tells.
    """
    columns = {column.target: column for column in log_format.read(head)}
    columns |= _named_otherwise(head, log_format, columns)
    check_counts(head, mapping)
    for target, words in mapping.items():
        if not words:
            columns.pop(target, None)
        else:
            columns[target] = Column(target, _mapped(head, target, words))
    chosen: dict[str, Column] = {}
    for target, column in columns.items():
        source = pruned(column.source, lambda key: _may_be_present(head, key, log_format))
        if source is not None:
            chosen[target] = replace(column, source=source)
        elif log_format.own and head.container in ("csv", "parquet"):
            key = next(key for key in keys(column.source) if not head.shows(key))
            raise lacking(head, key, f"{short(target)} in {log_format.title}")
    _check_given(head, chosen, columns, log_format)
    if "block_ids" in chosen and block_size is None:
        if "block_ids" in mapping:
            raise UsageError(
                "block ids need the number of tokens per block", fix="add --block-size N"
            )
        del chosen["block_ids"]
    _check_units(head, chosen, units)
    return tuple(settled(head, chosen, units, log_format, mapping))


def _named_otherwise(
    head: Head, log_format: Format, columns: Mapping[str, Column]
) -> dict[str, Column]:
    """Return counts by their usual names where a log has none of the format's: operators name them."""
    ours = log_format.name != GENERIC.name and not log_format.where and log_format.sniff(head)
    if not ours or "input_tokens" not in columns or _shown(head, columns["input_tokens"]):
        return {}
    usual = {column.target: column for column in GENERIC.read(head)}
    counts = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "model")
    return {
        name: usual[name]
        for name in counts
        if name in usual and not (name in columns and _shown(head, columns[name]))
    }


def _shown(head: Head, column: Column) -> bool:
    return any(head.shows(key) for key in keys(column.source))


def _mapped(head: Head, target: str, words: str) -> Value:
    """Read the user's words: a key, or keys with + or - between them."""
    if head.shows(words):
        return words
    parts = tuple(part.strip() for part in words.split("+"))
    if len(parts) > 1 and all(head.shows(part) for part in parts):
        return Total(parts)
    for cut, sign in enumerate(words):
        end, start = words[:cut].strip(), words[cut + 1 :].strip()
        if sign == "-" and head.shows(end) and head.shows(start):
            return Minus(end, start)
    raise lacking(head, words, f"--map {short(target)}={words}")


def _may_be_present(head: Head, key: str, log_format: Format) -> bool:
    """Keys of JSON may first appear far into the file; columns are all in the header."""
    if head.container in ("csv", "parquet"):
        return head.shows(key)
    return log_format.name != GENERIC.name or head.shows(key)


def _check_given(
    head: Head,
    chosen: Mapping[str, Column],
    columns: Mapping[str, Column],
    log_format: Format,
) -> None:
    where = str(head.path)
    for target in GIVEN:
        if target in log_format.nullable:
            continue
        column = chosen.get(target)
        if column is not None and log_format.where and head.records:
            continue  # other records than requests may come first
        if column is None or not _shown(head, column):
            asked = columns.get(target)
            missing = f" {label(asked.source)!r}" if asked else ""
            raise UsageError(
                f"lacks the column{missing} that {log_format.name} needs for {short(target)}; "
                f"it has {listed_keys(head.keys)}",
                where=where,
                fix=f"name it: --map {short(target)}=COLUMN",
            )
    for key in {key for column in chosen.values() for key in keys(column.source)}:
        if head.keys.count(key) > 1:
            raise UsageError(
                f"has {head.keys.count(key)} columns named {key!r}", where=where, fix="rename one"
            )


def _check_units(head: Head, chosen: Mapping[str, Column], units: Mapping[str, str]) -> None:
    for target, unit in units.items():
        if not target.endswith("_ns") or target not in chosen:
            named = f"--unit {short(target)}={unit}"
            raise UsageError(
                f"{named}: no time of that name is read from {head.path}",
                fix=f"times read: {', '.join(short(t) for t in chosen if t.endswith('_ns'))}",
            )
        if unit not in (*SIZES_NS, *DATES[1:]):
            raise UsageError(
                f"--unit {short(target)}={unit}: unknown unit",
                fix=f"use s, ms, us, ns, min or h; for dates {', '.join(DATES[1:])}",
            )
