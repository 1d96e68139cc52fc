"""Units that stand in the names of columns, in the words and languages that people write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.ingestion.formats import unit_in_name

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

MS = 10**6


def read(folder: Path, name: str, value: str, **options: object) -> Trace:
    rows = "".join(f"2026-09-21T14:13:2{n}.5Z,{100 + n},400,{value}\n" for n in range(6))
    (folder / "log.csv").write_text(f"start_time,prompt_tokens,completion_tokens,{name}\n{rows}")
    return wl.ingest(folder / "log.csv", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "ms"),
    [
        ("Duration (min)", "0.2", 12_000),
        ("duration_minutes", "0.2", 12_000),
        ("Duration [min]", "1", 60_000),
        ("Duration (mins.)", "0.2", 12_000),
        ("Duration (h)", "0.01", 36_000),
        ("duration (millis)", "8000", 8_000),
        ("duration_msec", "8000", 8_000),
        ("Duration (µs)", "8000000", 8_000),
        ("Dauer (Sek.)", "8", 8_000),
        ("Durée (ms)", "8000", 8_000),
        ("耗时(毫秒)", "8000", 8_000),
        ("応答時間（秒）", "8.0", 8_000),  # noqa: RUF001
    ],
)
def test_a_unit_holds_where_the_user_maps_the_column(
    tmp_path: Path, name: str, value: str, ms: int
) -> None:
    trace = read(tmp_path, name, value, mapping={"e2e": name})
    assert trace.read("e2e_ns")["e2e_ns"][0] == ms * MS


def test_minutes_are_read_without_a_mapping(tmp_path: Path) -> None:
    assert read(tmp_path, "Duration (min)", "0.2").read("e2e_ns")["e2e_ns"][0] == 12_000 * MS


def test_a_clock_in_a_column_of_minutes_is_a_clock(tmp_path: Path) -> None:
    assert read(tmp_path, "Duration (min)", "0:00:12").read("e2e_ns")["e2e_ns"][0] == 12_000 * MS


@pytest.mark.parametrize("name", ["Duration (ticks)", "duration_min", "Laufzeit (Zyklen)"])
def test_an_unknown_unit_is_asked_about(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--unit e2e=") as caught:
        read(tmp_path, name, "8000", mapping={"e2e": name})
    assert name in caught.value.what
    trace = read(tmp_path, name, "8000", mapping={"e2e": name}, units={"e2e": "ms"})
    assert trace.read("e2e_ns")["e2e_ns"][0] == 8_000 * MS


def test_words_in_brackets_that_are_no_unit_say_nothing(tmp_path: Path) -> None:
    name = "Latency (total)"
    assert unit_in_name(name) is None
    trace = read(tmp_path, name, "8000", mapping={"e2e": name})
    assert trace.read("e2e_ns")["e2e_ns"][0] == 8_000 * MS
