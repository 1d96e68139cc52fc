"""Days without a time of day, and times of day whose day stands elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats.trees import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.head import Head

__all__ = ["check_day"]

_DAY = re.compile(r"\d{4}[-/]\d\d[-/]\d\d")
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d:\d\d([.,]\d+)?")


def check_day(head: Head, arrival: Column | None) -> None:
    """Refuse a time of day whose day stands in another column, and days without a time of day."""
    key = keys(arrival.source)[0] if arrival else ""
    if _all(_DAY, head.samples.get(key, [])):
        raise UsageError(
            f"gives the day only ({key}): arrivals need the time of day",
            where=str(head.path),
            fix="log the moment of each request; for lengths alone, write the file without its days",
        )
    days = (name for name, values in head.samples.items() if _all(_DAY, values))
    if _all(_TIME_OF_DAY, head.samples.get(key, [])) and (day := next(days, None)):
        raise UsageError(
            f"has the day in {day} and the time of day in {key}: an arrival needs both",
            where=str(head.path),
            fix="write both into one column, such as 2026-09-21T14:13:20Z",
        )


def _all(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return bool(values) and all(pattern.fullmatch(text) for text in values)
