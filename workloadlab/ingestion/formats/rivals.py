"""Which of several keys is a trace column: the nearest moment, the longest duration, all namesakes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.ingestion.formats.names import VALUE_TYPE, bare, forms, unit_in_name
from workloadlab.ingestion.formats.words import Value, first
from workloadlab.ingestion.parsing.dates import DATETIME, dated
from workloadlab.ingestion.parsing.times import epoch_unit, instants
from workloadlab.ingestion.parsing.values import is_number

if TYPE_CHECKING:
    from workloadlab.ingestion.head import Head

__all__ = [
    "by_name",
    "is_dated",
    "likely_arrivals",
    "likely_durations",
    "likely_ends",
    "moments_of",
    "namesakes",
    "renamed",
    "some",
]

_ONLY_DATED = {"msec", "logging_time", "log_time", "logged_at", "inference_time", "t"}
"""Names of durations and of other things, unless they hold times of day."""
_CREATED = {"created", "created_at", "create_time", "submitted_at"}
_BEGINNINGS = {
    "request_time", "request_start_time", "request_start", "request_received_at", "start_time",
    "started_at", "start",
}  # fmt: skip
_STAMPS, _RECEIVED = {"timestamp", "ts", "time", "event_time"}, {"received_at"}
_ENDS = {
    "end_time", "ended_at", "finish_time", "finished_at", "completed_at", "completion_time", "end",
    "request_end_time", "request_end", "t_end", "t_done", "t_last",
}  # fmt: skip
SECOND_NS = 10**9
QUEUED_NS = (10**7, 600 * SECOND_NS)
"""How long a request waits between its creation and its start, in the middle."""
SPREAD_NS = SECOND_NS // 4
"""How far apart the fractions lie that whole seconds leave out; a delay is about the same each time."""
TIMES_LONGER = 100.0


def likely_arrivals(head: Head, keys: list[str], tokens: str) -> list[str]:
    """Order what may be the arrival: times of day first, and of them those nearest to the tokens.

    What ships a log adds the time at which it did so around the record. nginx's `request_time` is a
    duration, unless it is a time of day or only grows. What was created and then started waited; a log
    that was received after its own stamp was shipped.
    """
    calendar = [key for key in keys if is_dated(head.said(key))]
    if not calendar:
        counts = [key for key in keys if not forms(key) & _ONLY_DATED]
        return [key for key in counts if "request_time" not in forms(key) or _grows(head.said(key))]
    calendar.sort(key=lambda key: -_shared(_object(key), tokens))
    calendar = sorted(calendar, key=lambda key: _shipped(head, key, calendar))
    if any(forms(key) & _BEGINNINGS for key in calendar):
        calendar.sort(key=lambda key: bare(key) == "created")  # of the answer, in whole seconds
    waited = (
        key for key in calendar[1:] if forms(key) & _CREATED and _before(head, key, calendar[0])
    )
    return _finer_first(head, [*waited, *calendar])


def _finer_first(head: Head, calendar: list[str]) -> list[str]:
    """Put a moment with fractions first where the likeliest is the same one in whole seconds."""
    table = head.table(dict.fromkeys(calendar))
    whole = moments_of(table[calendar[0]])
    if (whole % SECOND_NS != 0).any():
        return calendar
    for key in calendar[1:]:
        after = (moments_of(table[key]) - whole).drop_nulls()
        agrees = after.is_between(-SECOND_NS // 2, SECOND_NS - 1).all()
        if 2 * after.len() > max(whole.count(), 2) and agrees and _spread(after) > SPREAD_NS:
            return [key, *calendar]
    return calendar


def _spread(values: pl.Series) -> int:
    return int(values.max() - values.min())  # type: ignore[operator, arg-type]


def likely_durations(head: Head, keys: list[str]) -> list[str]:
    """Order what may be e2e: a `latency` may last to the first byte where a longer time lies beside.

    A `request_time` that is a time of day is no duration.
    """
    keys = [key for key in keys if "request_time" not in forms(key) or not is_dated(head.said(key))]
    if not keys or "latency" not in forms(keys[0]):
        return keys
    unit = unit_in_name(keys[0])
    others = [k for k in keys[1:] if unit_in_name(k) == unit and not forms(k) & _ENDS]
    longer = [key for key in others if _longer(head, key, keys[0])]
    return [*longer, *(key for key in keys if key not in longer)]


def likely_ends(head: Head, keys: list[str]) -> list[str]:
    """Return the keys of moments at which requests ended."""
    return [key for key in keys if forms(key) & _ENDS and is_dated(head.said(key))]


def namesakes(head: Head, key: str) -> list[str]:
    """Return keys that differ from this one in one step above their names.

    Example:
        >>> from pathlib import Path; from workloadlab.ingestion.head import Head
        >>> namesakes(Head(Path("a"), "csv", ("u.gpt.n", "u.qwen.n", "u.n"), ()), "u.gpt.n")
        ['u.qwen.n']
    """
    steps = VALUE_TYPE.sub("", key).split(".")

    def other(name: str) -> bool:
        named = VALUE_TYPE.sub("", name).split(".")
        if len(named) != len(steps) or named[-1] != steps[-1]:
            return False
        return sum(one != two for one, two in zip(steps, named, strict=True)) == 1

    return [name for name in head.names if other(name)]


def by_name(head: Head, key: str) -> Value:
    """Return the first of a key and its namesakes where each record has another: usage by model."""
    others = namesakes(head, key)
    if not others or not any(_lacks(row, key, others) for row in head.rows):
        return key
    return first(key, *others)


def _lacks(row: dict[str, str | None], key: str, others: list[str]) -> bool:
    return row.get(key) is None and any(row.get(other) is not None for other in others)


def renamed(head: Head, key: str, rivals: list[str]) -> list[str]:
    """Return rivals that stand where a key does not, and never beside it: the log changed its names."""
    inner = key not in head.keys  # of JSON in a text, which the rows show as a whole
    if head.container == "parquet" or inner or all(row.get(key) is not None for row in head.rows):
        return []
    dates = is_dated(head.said(key))
    return [
        other
        for other in dict.fromkeys(rivals)
        if other != key
        and is_dated(head.said(other)) == dates
        and any(_lacks(row, key, [other]) for row in head.rows)
        and not any(row.get(key) is not None and row.get(other) is not None for row in head.rows)
    ]


def is_dated(samples: list[str]) -> bool:
    """Say whether most of the first values are times of day."""
    few = some(samples)
    epochs = sum(is_number(text) and epoch_unit(float(text)) is not None for text in few)
    words = pl.Series([text for text in few if not is_number(text)], dtype=pl.String)
    return 2 * (epochs + dated(words)) > len(few)


def some(samples: list[str]) -> list[str]:
    """Return a few values from all over."""
    return samples[:: max(1, len(samples) // 20)]


def _object(key: str) -> str:
    """Return the object that a key lies in; a value with its type beside it is no object."""
    return VALUE_TYPE.sub("", key).rpartition(".")[0]


def _shared(place: str, tokens: str) -> int:
    """Count the steps that the way to an object shares with the way to the tokens."""
    count = 0
    for one, two in zip(place.split("."), tokens.split("."), strict=False):
        if one != two:
            break
        count += 1
    return count


def _grows(samples: list[str]) -> bool:
    numbers = [float(text) for text in samples if is_number(text)]
    return all(before <= after for before, after in pairwise(numbers))


def _shipped(head: Head, key: str, others: list[str]) -> bool:
    """Say whether a log was received at a moment after its own stamp: who ships it says so."""
    stamps = [
        other for other in others if forms(other) & _STAMPS and _object(other) == _object(key)
    ]
    if not forms(key) & _RECEIVED or not stamps:
        return False
    table = head.table([key, stamps[0]]).drop_nulls()
    late = moments_of(table[key]) - moments_of(table[stamps[0]])
    return bool(late.count() and (late > 0).all())


def _before(head: Head, created: str, started: str) -> bool:
    """Say whether requests were created shortly before they were started, each at its own time."""
    table = head.table([created, started]).drop_nulls()
    made, began = (moments_of(table[key]) for key in (created, started))
    waits = (began - made).drop_nulls()
    if _object(created) != _object(started) or not waits.len() or int(waits.min()) < 0:  # type: ignore[arg-type]
        return False
    low, high = QUEUED_NS
    exact = (made % SECOND_NS != 0).any() or bool((began % SECOND_NS == 0).all())
    apart = made.n_unique() * 10 >= 9 * made.len()
    return exact and apart and low <= float(waits.median()) <= high  # type: ignore[arg-type]


def moments_of(text: pl.Series) -> pl.Series:
    """Read times of day as nanoseconds since 1970, dates or epochs."""
    numbers = text.cast(pl.Float64, strict=False).drop_nulls()
    unit = epoch_unit(float(numbers.median())) if numbers.len() else None  # type: ignore[arg-type]
    return instants(text, unit or DATETIME, by_size=unit is not None).values


def _longer(head: Head, key: str, than: str) -> bool:
    """Say whether one duration is never below another, and often above it, in one unit."""
    table = head.table([key, than]).cast(pl.Float64, strict=False).drop_nulls()
    long, short = table[key], table[than]
    if not table.height or not (long >= short).all() or 2 * (long > short).sum() <= table.height:
        return False
    return float(long.median()) <= TIMES_LONGER * float(short.median())  # type: ignore[arg-type]
