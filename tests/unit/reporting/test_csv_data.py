"""Each figure's data as CSV: a row per point, safe to open."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from workloadlab.reporting.csv_data import csv_of


@dataclass(frozen=True)
class Anything:
    parts: Any


def rows(parts):
    return list(csv.DictReader(io.StringIO(csv_of(Anything(parts)))))


def test_a_point_is_a_row():
    found = rows(({"label": "a", "points": ((1, 2), (3, 4))}, {"label": "b", "points": ((5, 6),)}))
    assert [(row["label"], row["x"], row["y"]) for row in found] == [
        ("a", "1", "2"), ("a", "3", "4"), ("b", "5", "6"),
    ]  # fmt: skip


def test_a_series_of_numbers_has_places():
    assert [(row["place"], row["value"]) for row in rows(tuple(range(6)))][-1] == ("5", "5")


def test_a_matrix_has_rows_and_places():
    found = rows(((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    assert (found[7]["row"], found[7]["place"], found[7]["value"]) == ("1", "2", "7")


def test_a_name_is_never_a_formula():
    (row,) = rows(({"label": '=HYPERLINK("http://a")', "points": ((1, 2),)},))
    assert row["label"].startswith("'=")
