"""From the head of a log and the user's words to the columns that will be read."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats import FORMATS, GENERIC, Column, Format, unit_in_name
from workloadlab.ingestion.parsing.times import DATETIME, UNITS, is_datetime
from workloadlab.ingestion.parsing.values import is_number
from workloadlab.trace import COLUMNS, GIVEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.inspect import Head

__all__ = ["named_format", "plan", "recognise", "targets"]

_NOT_FROM_LOGS = {
    "row_id", "source_format", "token_offsets_ns", "block_size", "dispatch_ns", "preemptions", "flags",
}  # fmt: skip
MAPPABLE = tuple(name for name in COLUMNS if name not in _NOT_FROM_LOGS)
_EPOCH_S = 1e8


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
        fix="use one of " + ", ".join(known.name for known in FORMATS),
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
            near = difflib.get_close_matches(word, [_short(name) for name in MAPPABLE], n=1)
            raise UsageError(
                f"{option} {word}={value}: {word} is no column of a trace",
                fix=f"did you mean {near[0]}?"
                if near
                else "use one of " + ", ".join(_short(name) for name in MAPPABLE),
            )
        if target in named:
            raise UsageError(f"{option} names {_short(target)} twice", fix="name it once")
        named[target] = value
    return named


def recognise(head: Head, mapping: Mapping[str, str]) -> Format:
    """Find the format of a log by its keys.

    Raises:
        UsageError: none fits, and the columns are not mapped either.
    """
    for known in FORMATS:
        if known.sniff(head):
            return known
    proposed = {column.target for column in GENERIC.read(head)} | mapping.keys()
    lacking = [name for name in GIVEN if name not in proposed]
    if not lacking:
        return GENERIC
    usual = " ".join(f"--map {_short(name)}=COLUMN" for name in (*GIVEN, "output_tokens"))
    raise UsageError(
        "no log format recognised: nothing looks like "
        f"{' or '.join(_short(name) for name in lacking)}.\n"
        f"  keys seen: {_listed(head.keys)}\n  nearest format: {_nearest(head)}",
        where=str(head.path),
        fix=f"name the columns: {usual} (and --unit arrival=ms where it is not seconds)",
    )


def _nearest(head: Head) -> str:
    """Describe the known format that shares the most keys, or else whose keys read most alike."""

    def likeness(known: Format) -> tuple[int, float]:
        alike = difflib.SequenceMatcher(
            None, " ".join(sorted(known.keys)).lower(), " ".join(sorted(head.keys)).lower()
        ).ratio()
        return len(known.keys & set(head.keys)), alike

    best = max((known for known in FORMATS if known.keys), key=likeness)
    reasons = []
    if lacking := sorted(best.keys - set(head.keys)):
        reasons.append(f"lacks {', '.join(lacking)}")
    if foreign := sorted(best.foreign & set(head.keys)):
        reasons.append(f"has {', '.join(foreign)}")
    if head.container not in best.containers:
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
    """Decide which key gives which trace column, and every unit.

    A time's unit is what the user says, else what the format fixes, else what the key's name ends
    in, else `datetime` for ISO text; a plain number is seconds, but for an arrival the magnitude of
    its first value tells epoch seconds from milli-, micro- and nanoseconds.

    Raises:
        UsageError: a mapped column or unit that does not fit the file.
    """
    columns = {column.target: column for column in log_format.read(head)}
    columns |= {target: Column(target, source) for target, source in mapping.items()}
    _check_present(head, columns, mapping, log_format)
    chosen = {
        target: column
        for target, column in columns.items()
        if _may_be_present(head, column.source, log_format)
    }
    if "block_ids" in chosen and (block_size or log_format.block_size) is None:
        if "block_ids" in mapping:
            raise UsageError(
                "block ids need the number of tokens per block", fix="add --block-size N"
            )
        del chosen["block_ids"]
    for target, unit in units.items():
        if COLUMNS[target] != COLUMNS["arrival_ns"] or target not in chosen:
            named = f"--unit {_short(target)}={unit}"
            raise UsageError(
                f"{named}: no time of that name is read from {head.path}",
                fix=f"times read: {', '.join(_short(t) for t in chosen if t.endswith('_ns'))}",
            )
        if unit not in UNITS:
            raise UsageError(
                f"--unit {_short(target)}={unit}: unknown unit", fix="use s, ms, us or ns"
            )
    timed = {
        target: _timed(head, column, units.get(target), chosen["arrival_ns"])
        for target, column in chosen.items()
        if target.endswith("_ns")
    }
    return tuple((chosen | timed)[target] for target in COLUMNS if target in chosen)


def _may_be_present(head: Head, source: str, log_format: Format) -> bool:
    """Keys of JSON lines may first appear far into the file; columns are all in the header."""
    return source in head.keys or (head.container == "jsonl" and log_format is not GENERIC)


def _check_present(
    head: Head, columns: Mapping[str, Column], mapping: Mapping[str, str], log_format: Format
) -> None:
    where = str(head.path)
    for target, source in mapping.items():
        if source not in head.keys:
            near = difflib.get_close_matches(source, head.keys, n=1)
            raise UsageError(
                f"has no column {source!r} (--map {_short(target)}={source}); "
                f"it has {_listed(head.keys)}",
                where=where,
                fix=f"did you mean {near[0]!r}?" if near else "map a column that the file has",
            )
    for target in GIVEN:
        column = columns.get(target)
        if column is None or column.source not in head.keys:
            missing = f" {column.source!r}" if column else ""
            raise UsageError(
                f"lacks the column{missing} that {log_format.name} needs for {_short(target)}; "
                f"it has {_listed(head.keys)}",
                where=where,
                fix=f"name it: --map {_short(target)}=COLUMN",
            )
    for key in {column.source for column in columns.values()}:
        if head.keys.count(key) > 1:
            raise UsageError(
                f"has {head.keys.count(key)} columns named {key!r}", where=where, fix="rename one"
            )


def _timed(head: Head, column: Column, asked: str | None, arrival: Column) -> Column:
    """Settle the unit; a datetime where a duration belongs counts from the arrival's datetime."""
    values = head.samples.get(column.source, [])
    sample = next((text for text in values if is_number(text) or is_datetime(text)), "0")
    unit = _unit(column, sample, asked)
    if column.target == "arrival_ns" or column.since:
        return replace(column, unit=unit)
    if unit == DATETIME:
        return replace(column, unit=unit, since=arrival.source)
    if abs(float(sample)) >= _EPOCH_S * 10 ** (9 - UNITS[unit]):
        raise UsageError(
            f"{column.source} is read as {_short(column.target)} in {unit}, but {sample} {unit} is "
            "years: it looks like a time of day, not a duration, or like another unit",
            where=str(head.path),
            fix=f"map a duration, or give its unit: --unit {_short(column.target)}=ns",
        )
    return replace(column, unit=unit)


def _unit(column: Column, sample: str, asked: str | None) -> str:
    if not is_number(sample):
        return DATETIME
    if unit := asked or (column.unit if column.unit != DATETIME else None):
        return unit
    if unit := unit_in_name(column.source):
        return unit
    if column.target != "arrival_ns":
        return "s"
    size = abs(float(sample))
    return next(
        (
            unit
            for unit, limit in (("ns", 1e9), ("us", 1e6), ("ms", 1e3))
            if size >= _EPOCH_S * limit
        ),
        "s",
    )


def _short(target: str) -> str:
    return target.removesuffix("_ns")


def _listed(keys: tuple[str, ...], most: int = 30) -> str:
    more = f", and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more
