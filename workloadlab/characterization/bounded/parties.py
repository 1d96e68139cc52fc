"""Parties of one part: requests, tokens and gaps of each, and more of the likely largest."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.buckets import buckets
from workloadlab.characterization.bounded.kernels import (
    MINUTE_NS,
    TOKEN_DIGITS,
    close_minute,
    count_parties,
)
from workloadlab.characterization.bounded.picks import joined
from workloadlab.characterization.bounded.reading import NULL, cut
from workloadlab.characterization.bounded.rules import add, add_by_key, add_by_two_keys, together
from workloadlab.characterization.bounded.words import limbs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.partial import Partial
    from workloadlab.characterization.bounded.plan import Part, Plan
    from workloadlab.characterization.bounded.reading import Names, Rows

__all__ = [
    "COUNTED",
    "MOST_NAMES",
    "QUANTITIES",
    "NameTally",
    "PartyTally",
    "bounded",
    "name_key",
]

DAY_NS = 86_400_000_000_000
MOST_NAMES = 65_536
"""With more names in a column, gaps across parts and days are not kept."""

QUANTITIES = {
    "counts": add_by_key,
    "ends": together,
    "days": add_by_two_keys,
    "minutes": add,
    "inputs": add_by_two_keys,
    "outputs": add_by_two_keys,
}
"""By quantity of a column, how two parts' become one.

counts: key of the name, requests, tokens, gaps inside parts, their sum, their squares in four limbs.
ends: key, part, first and last arrival. days: day, key, requests. minutes: per candidate its requests
in complete minutes, their squares by minute, the products with those of all; last of all. inputs,
outputs: candidate, bucket, rows.
"""


COUNTED = {"names": add_by_key}
"""names: key of the name, requests; of columns that no topic on parties reads."""


def bounded(partial: Partial) -> Partial:
    """Drop what is not kept of columns with many names."""
    dropped = {
        f"{column}.{name}"
        for column, names in partial.names.items()
        if len(names) > MOST_NAMES
        for name in ("ends", "days")
    }
    arrays = {
        name: array[:0] if name in dropped else array for name, array in partial.arrays.items()
    }
    return replace(partial, arrays=arrays)


def name_key(name: str) -> int:
    """Return the number that stands for a name, the same everywhere."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class NameTally:
    """Requests by the names of one column, as a part's rows come."""

    def __init__(self, column: str, names: Names) -> None:
        self.column, self.names = column, names
        self.requests = np.zeros(0, np.int64)

    def take(self, rows: Rows) -> None:
        """Count measured rows."""
        codes = rows.codes[self.column]
        counts = np.bincount(codes[codes >= 0], minlength=len(self.requests))
        counts[: len(self.requests)] += self.requests
        self.requests = counts

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""
        rows = [
            (name_key(name), int(self.requests[place]))
            for name, place in self.names.known.items()
            if place < len(self.requests) and self.requests[place]
        ]
        return {f"{self.column}.names": np.array(sorted(rows), np.int64).reshape(-1, 2)}

    def seen(self) -> tuple[str, ...]:
        """Return the names of the part's measured rows, ascending."""
        return _seen(self.names, self.requests)


class PartyTally:
    """Counts by the names of one column, as a part's rows come."""

    def __init__(self, plan: Plan, part: Part, column: str, names: Names) -> None:
        self.plan, self.column, self.names = plan, column, names
        self.place = plan.parts.index(part)
        self.candidates = plan.frequent[column]
        self.parties = np.zeros((0, 5), np.int64)
        self.squares = np.zeros((0, 2), np.uint64)
        self.candidate, self.mapped = np.zeros(0, np.int64), 0
        size = len(self.candidates), buckets(32, TOKEN_DIGITS)
        self.inputs, self.outputs = np.zeros(size, np.int32), np.zeros(size, np.int32)
        self.minute = np.zeros(len(self.candidates) + 1, np.int64)
        self.minute_squares = np.zeros((len(self.candidates) + 1, 3), np.int64)
        self.end = plan.first_ns
        self.stop = plan.first_ns + plan.span_ns // MINUTE_NS * MINUTE_NS
        self.days = plan.span_ns // DAY_NS if 2 <= plan.span_ns // DAY_NS <= 400 else 0
        self.day, self.before = -1, np.zeros(0, np.int64)
        self.daily: list[NDArray[np.int64]] = []

    def take(self, rows: Rows) -> None:
        """Count measured rows, which come after all before."""
        self._grow()
        arrival = rows.numbers["arrival_ns"]
        outputs = rows.numbers.get("output_tokens")
        if outputs is None:
            outputs = np.full(len(rows), NULL)
        for day, here in self._days_of(arrival):
            if day != self.day:
                self._close_day()
                self.day = day
            self.end = count_parties(
                arrival[here], rows.codes[self.column][here], rows.numbers["input_tokens"][here],
                outputs[here], self.parties, self.squares, self.candidate, self.inputs,
                self.outputs, self.minute, self.minute_squares, self.end, self.plan.first_ns,
                self.stop,
            )  # fmt: skip

    def _days_of(self, arrival: NDArray[np.int64]) -> list[tuple[int, slice]]:
        if not self.days:
            return [(-1, slice(None))]
        return cut(arrival, self.plan.first_ns, DAY_NS)

    def _grow(self) -> None:
        """Make room for names that have come up since."""
        known = len(self.names.known)
        if known > len(self.parties):
            room = max(known, 2 * len(self.parties)) - len(self.parties)
            self.parties = np.concatenate((self.parties, np.zeros((room, 5), np.int64)))
            self.squares = np.concatenate((self.squares, np.zeros((room, 2), np.uint64)))
            self.before = np.concatenate((self.before, np.zeros(room, np.int64)))
            self.candidate = np.concatenate((self.candidate, np.full(room, -1)))
        if known > self.mapped:
            for place, name in enumerate(self.candidates):
                if name in self.names.known:
                    self.candidate[self.names.known[name]] = place
            self.mapped = known

    def _close_day(self) -> None:
        """Note the requests of the day that ends, but for the last, unfinished one."""
        since = self.parties[:, 0] - self.before
        here = np.flatnonzero(since)
        if len(here) and self.day < self.days and len(self.names.known) <= MOST_NAMES:
            self.daily.append(np.column_stack((np.full(len(here), self.day), here, since[here])))
        self.before = self.parties[:, 0].copy()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""
        self._close_day()
        close_minute(self.minute, self.minute_squares)
        keys = np.array([name_key(name) for name in self.names.known], np.int64)
        here = np.flatnonzero(self.parties[: len(keys), 0])
        here = here[np.argsort(keys[here])]
        held = self.parties[here]
        counts = np.column_stack(
            (keys[here], held[:, :2], held[:, 0] - 1, held[:, 4], limbs(self.squares[here]))
        )
        ends = np.column_stack((keys[here], np.full(len(here), self.place), held[:, 2:4]))
        days = joined(self.daily, 3)
        days[:, 1] = keys[days[:, 1]]
        days = days[np.lexsort((days[:, 1], days[:, 0]))]
        found = {
            "counts": counts,
            "ends": ends,
            "days": days,
            "minutes": self.minute_squares,
            "inputs": _occupied(self.inputs),
            "outputs": _occupied(self.outputs),
        }
        return {f"{self.column}.{name}": array for name, array in found.items()}

    def seen(self) -> tuple[str, ...]:
        """Return the names of the part's measured rows, ascending."""
        return _seen(self.names, self.parties[:, 0])


def _seen(names: Names, requests: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(
        sorted(n for n, place in names.known.items() if place < len(requests) and requests[place])
    )


def _occupied(table: NDArray[np.int32]) -> NDArray[np.int64]:
    rows, columns = np.nonzero(table)
    return np.column_stack((rows, columns, table[rows, columns])).astype(np.int64)
