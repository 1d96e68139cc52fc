"""What a reader should know of keys: which are not read, which mean less than they seem to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.ingestion.formats.derived import UNIT_OR_CLOCK, lone_session
from workloadlab.ingestion.formats.ends import assumed_start, ended
from workloadlab.ingestion.formats.generic import uncounted
from workloadlab.ingestion.formats.names import RATE, forms, plain, unit_in_name
from workloadlab.ingestion.formats.rivals import some
from workloadlab.ingestion.formats.tongues import spoken
from workloadlab.ingestion.formats.trees import keys, label
from workloadlab.ingestion.formats.words import Apart
from workloadlab.ingestion.parsing.dates import is_datetime
from workloadlab.ingestion.parsing.prefixes import LOG_TIME
from workloadlab.ingestion.parsing.times import durations
from workloadlab.ingestion.parsing.values import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.head import Head

__all__ = ["asides", "lacking", "listed_keys", "looks_timed", "named_time"]

_TIME_NAMES = re.compile(
    r"time|latency|duration|elapsed|ttft|tpot|(^|_)itl|e2e|delay|arriv|interval|first_?tok|"
    r"(?<!per)_(at|ts|ms|us|ns|s|sec|seconds)$",
    re.IGNORECASE,
)
_TIMES = ("arrival_ns", "ttft_ns", "e2e_ns")
_COUNT = re.compile(r"(^|[._-])tok(en)?s?([._-]|$)|tokens?$", re.IGNORECASE)
_NO_COUNT = re.compile(r"max|limit|budget|per_|(?<!gene)rate|speed|price|cost", re.IGNORECASE)
_ANSWER = re.compile(r"out|compl|gen|answer|resp|decod|sampl|candid|eval", re.IGNORECASE)


def asides(head: Head, columns: Sequence[Column], *, guessed: bool) -> list[str]:
    """Return sentences about keys; more where the columns were proposed by their names."""
    about = (added_parts, unused_times, uncounted, unread_counts, ended, lone_session)
    more = (assumed_start,) if guessed else ()
    return [told for each in (*about, *more) if (told := each(head, columns))]


def unused_times(head: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about keys that look like times and are not read."""
    used = {LOG_TIME, *(key for column in columns for key in keys(column.source))}
    found = [key for key in head.names if key not in used and looks_timed(key, head.said(key))]
    if not found:
        return None
    return f"not read, though they look like times: {listed_keys(tuple(found), 8)}"


def added_parts(_: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about a part that is added to its whole, for a total holds both."""
    for column in columns:
        parted = column.source
        if isinstance(parted, Apart) and isinstance(parted.value, str):
            return (
                f"{label(parted.part)} is added to {parted.value} where {label(parted.whole)} shows "
                "that it is counted apart"
            )
    return None


def unread_counts(head: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about keys that may count the answer's tokens, where none is read.

    Example:
        >>> from pathlib import Path; from workloadlab.ingestion.head import Head
        >>> rows = ({"tokens_generated_by_model": "12"},)
        >>> unread_counts(Head(Path("a"), "csv", ("tokens_generated_by_model",), rows), [])
        'no tokens of answers are read; perhaps --map output_tokens=tokens_generated_by_model'
    """
    if any(column.target == "output_tokens" for column in columns):
        return None
    used = {key for column in columns for key in keys(column.source)}
    found = [
        key
        for key, values in head.samples.items()
        if key not in used and values and is_number(values[0])
        and _COUNT.search(key) and _ANSWER.search(key) and not _NO_COUNT.search(key)
    ]  # fmt: skip
    if not found:
        return None
    return f"no tokens of answers are read; perhaps --map output_tokens={found[0]}"


def looks_timed(key: str, said: Sequence[str]) -> bool:
    """Say whether a key is named like a time and holds one, or holds durations with their units."""
    if not said:
        return False
    few = some(list(said))
    worded = pl.Series([t for t in few if re.search(UNIT_OR_CLOCK, t)], dtype=pl.String)
    if 2 * durations(worded, "s").values.count() > len(few):
        return True
    told = unit_in_name(key) and not RATE.search(plain(key))
    return bool(told or named_time(key)) and _time(said[0])


def named_time(key: str) -> bool:
    """Say whether a key is named like a time, in one of several languages."""
    named = _TIME_NAMES.search(key.rsplit(".", 1)[-1])
    return bool(named) or any(spoken(target, forms(key)) for target in _TIMES)


def _time(text: str) -> bool:
    return is_datetime(text) or (is_number(text) and float(text) != 0)


def listed_keys(keys: tuple[str, ...], most: int = 30) -> str:
    """Return keys as a sentence names them, the first of many."""
    more = f", and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more


def lacking(head: Head, key: str, what: str) -> UsageError:
    """Make the error that a file has no column that the user names; says for what."""
    return UsageError(
        f"has no column {key!r} ({what}); it has {listed_keys(head.keys)}",
        where=str(head.path),
        fix=did_you_mean(key, head.keys),
    )
