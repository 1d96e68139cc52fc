"""How each file of a log is read: its columns with their units, its conditions, its block size."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.ingestion.clean import Rules
from workloadlab.ingestion.columns import plan, targets
from workloadlab.ingestion.doubts.outcome_words import check_outcomes
from workloadlab.ingestion.doubts.repeated import calls_alone, check_repeated
from workloadlab.ingestion.doubts.unread import lacking
from workloadlab.ingestion.formats import GENERIC
from workloadlab.ingestion.formats.trees import keys, pruned
from workloadlab.ingestion.formats.words import Only
from workloadlab.ingestion.parsing.dates import zoneless
from workloadlab.ingestion.parsing.json import text_of
from workloadlab.ingestion.parsing.times import EPOCH_S, UNITS
from workloadlab.ingestion.parsing.values import is_number
from workloadlab.ingestion.units import ASKED
from workloadlab.trace import GIVEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.ingestion.formats import Column, Format
    from workloadlab.ingestion.head import Head

__all__ = ["asked_for", "rules_of", "starts_differ", "zones_differ"]


def rules_of(
    heads: Sequence[Head],
    log_format: Format,
    words: Mapping[str, str],
    units: Mapping[str, str] | None,
    block_size: int | None,
    asked: Mapping[str, str],
) -> list[Rules]:
    """Plan every file; each is read by its own keys and units, but all on one kind of clock.

    Raises:
        UsageError: a file does not fit its format, the user's words, or the other files.
    """
    given = targets(units, "--unit")
    size = _said_block_size(heads[0], log_format) if block_size is None else block_size
    conditions = (*log_format.where, *(Only(key, key, (text,)) for key, text in asked.items()))
    rules = []
    for head in heads:
        if not log_format.fits(head.container):
            raise UsageError(
                f"is {head.container}; {log_format.name} logs are {', '.join(log_format.containers)}",
                where=str(head.path),
                fix="ingest logs of two kinds apart; if a format was asked for, leave --format out, or "
                "use --format generic with --map",
            )
        columns = plan(head, log_format, words, given, block_size=size)
        kept = conditions
        if head.container in ("csv", "parquet"):
            for asked_of in log_format.where if log_format.own else ():
                if not asked_of.negated and pruned(asked_of, head.shows) is None:
                    raise lacking(head, keys(asked_of)[0], f"where in {log_format.title}")
            left = (pruned(condition, head.shows) for condition in conditions)
            kept = tuple(each for each in left if isinstance(each, Only))
        if log_format.name == GENERIC.name:
            calls = calls_alone(head, columns, asked)
            kept = (*kept, *calls)
            alone = bool(calls) or log_format.innermost
            check_repeated(head, columns, words, asked, alone=alone)
            check_outcomes(head, columns, asked)
        whole = not (log_format.merge_by or log_format.innermost or log_format.rooted)
        rules.append(
            Rules(
                columns,
                kept,
                _tokens_per_block(columns, size, block_size),
                tuple(name for name in GIVEN if name not in log_format.nullable),
                whole=whole,
            )
        )
    _check_clocks(heads, rules)
    return rules


def _check_clocks(heads: Sequence[Head], rules: Sequence[Rules]) -> None:
    """Refuse files of which some have the time of day and others count from a start."""
    kinds = [
        (head, column.why == "numbers from a start" and column.unit)
        for head, each in zip(heads, rules, strict=True)
        for column in each.columns
        if column.target == "arrival_ns"
    ]
    for head, kind in kinds[1:]:
        if bool(kind) != bool(kinds[0][1]) or (kind and kind != kinds[0][1]):
            raise UsageError(
                f"does not count its arrivals as {kinds[0][0].path} does: one has dates or epochs, "
                "the other numbers from a start, or another unit",
                where=str(head.path),
                fix="ingest them apart, or settle the difference with --map and --unit",
            )


def zones_differ(heads: Sequence[Head], rules: Sequence[Rules]) -> list[str]:
    """Return a sentence about dates of which some name a zone and others do not."""
    found: set[bool] = set()
    for head, each in zip(heads, rules, strict=True):
        source = next((c.source for c in each.columns if c.target == "arrival_ns"), None)
        for key in () if source is None else keys(source)[:1]:
            found |= set(zoneless(pl.Series(head.said(key), dtype=pl.String)).drop_nulls())
    return ["some dates name a zone and others none: those were taken as UTC"] * (len(found) > 1)


def starts_differ(heads: Sequence[Head], rules: Sequence[Rules]) -> list[str]:
    """Return a sentence about files that all count their arrivals from a start of their own."""
    spans = []
    for head, each in zip(heads, rules, strict=True):
        column = next((c for c in each.columns if c.target == "arrival_ns"), None)
        if column is None or column.why == ASKED or column.unit not in UNITS:
            return []
        counts = [float(text) for text in head.said(keys(column.source)[0]) if is_number(text)]
        spans.append((min(counts, default=0.0), max(counts, default=0.0)))
    shortest = min(last - first for first, last in spans)
    if len(spans) < 2 or max(last for _, last in spans) >= EPOCH_S or not shortest:
        return []
    together = max(first for first, _ in spans) - min(first for first, _ in spans) < shortest / 10
    told = f"{len(spans)} files count from a start each: their requests are laid over each other"
    return [told] * together


def _said_block_size(head: Head, log_format: Format) -> int | None:
    """Return the format's block size, or the one that the log says."""
    if not isinstance(log_format.block_size, str):
        return log_format.block_size
    said = head.table([log_format.block_size]).to_series().drop_nulls()
    if said.len() and not is_number(said[0]):
        raise UsageError(
            f"says {log_format.block_size} is {said[0][:40]!r}, which is no number of tokens",
            where=str(head.path),
            fix="say it: --block-size N",
        )
    return int(float(said[0])) if said.len() else None


def asked_for(heads: Sequence[Head], where: Mapping[str, object]) -> dict[str, str]:
    """Return the values asked for as the text that a log would hold.

    Raises:
        UsageError: a file has no such column.
    """
    for key, head in product(where, heads):
        if not head.shows(key):
            raise UsageError(
                f"has no column {key!r} to choose rows by",
                where=str(head.path),
                fix=did_you_mean(key, head.keys),
            )
    return {key: text_of(value) or "" for key, value in where.items()}


def _tokens_per_block(columns: Sequence[Column], size: int | None, asked: int | None) -> int | None:
    if not any(column.target == "block_ids" for column in columns):
        if asked is None:
            return None
        raise UsageError(
            f"--block-size {asked}: no block ids are read from this log",
            fix="map them with --map block_ids=COLUMN, or leave the option out",
        )
    if size is not None and not 0 < size < 2**16:
        raise UsageError(f"--block-size {size}: not a block size", fix="use 1 to 65535")
    return size
