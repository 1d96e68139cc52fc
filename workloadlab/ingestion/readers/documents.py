"""JSON documents as chunks of text columns."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from workloadlab.ingestion.parsing.json import Doubled
from workloadlab.ingestion.parsing.stream import JsonText, elements, values
from workloadlab.ingestion.readers.chunk import Reading
from workloadlab.ingestion.readers.packing import opened
from workloadlab.ingestion.readers.walk import Walk, typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from workloadlab.ingestion.head import Head

__all__ = ["read_json"]

BATCH = 2_000
_LIST = re.compile(r"[^*=\[\]]+\[\]")
"""The way to the elements of one list in a document."""


def read_json(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted keys of the values of a JSON document, or of several one after another.

    A list in a document is read element by element, where a request needs nothing that is around it.
    """
    walk = Walk(head, typed(wanted))
    alone = _LIST.fullmatch(head.walk) and not any(key[:1] in "^#" for key in wanted)
    if alone and not head.zipped and not walk.twice and _is_object(head):
        steps = head.walk.removesuffix("[]").split(".")
        return Reading(_elements(head, steps), lambda piece: [walk.elements(*piece)])

    def pieces() -> Iterator[tuple[int, list[Any] | None, int]]:
        doubled = Doubled() if walk.twice else None
        with opened(head.path) as stream:
            found, start = values(stream.read, doubled), 0
            for batch, broken in _batches((value, walk.names_twice(doubled)) for value in found):
                yield start, [value for value, _ in batch], sum(twice for _, twice in batch)
                if broken:
                    yield start, None, 0
                start += len(batch)

    return Reading(pieces(), lambda piece: [walk.values(*piece)])


def _is_object(head: Head) -> bool:
    """Say whether a file begins with an object, not with an array of them."""
    with opened(head.path) as stream:
        return JsonText(stream.read).next() == "{"


def _elements(head: Head, steps: list[str]) -> Iterator[tuple[list[Any], bool]]:
    """Yield elements of a list in a document, and whether JSON ends behind them that is none."""
    with opened(head.path) as stream:
        text = JsonText(stream.read)
        while text.next():
            for batch, broken in _batches(elements(text, steps)):
                yield batch, broken
                if broken:
                    return


def _batches(found: Iterator[Any]) -> Iterator[tuple[list[Any], bool]]:
    """Yield what there is, some at a time, and whether JSON ends behind it that is none."""
    while True:
        batch: list[Any] = []
        try:
            for each in islice(found, BATCH):
                batch.append(each)  # noqa: PERF402 - kept where JSON ends
        except (ValueError, RecursionError):
            yield batch, True
            return
        if not batch:
            return
        yield batch, False
