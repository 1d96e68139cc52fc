"""Columns by short names with a unit, by names in other languages, and as lists under a key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

MS = 10**6
TONGUES = {
    "German": (
        "Zeitpunkt;Modell;Eingabe-Tokens;Ausgabe-Tokens;Zeit bis erstes Token (s);Gesamtdauer (s)",
        "22.07.2025 08:00:0{n},315;m;10{n};400;0,308;8,5",
    ),
    "French": (
        "Horodatage;Modèle;Jetons d'entrée;Jetons de sortie;Délai du premier jeton (ms);Durée (ms)",
        "23/07/2025 08:00:0{n};m;10{n};400;308;8 500",
    ),
    "Spanish": (
        "Fecha;Modelo;Tokens de entrada;Tokens de salida;Latencia del primer token (ms);Duración (ms)",
        "23/07/2025 08:00:0{n};m;10{n};400;308;8500",
    ),
    "Portuguese": (
        "Data/hora;Modelo;Tokens de entrada;Tokens de saída;Primeiro token (ms);Duração (s)",
        "23/07/2025 08:00:0{n};m;10{n};400;308;8,5",
    ),
    "Chinese": (
        "请求时间,模型,输入Token数,输出Token数,首Token耗时(ms),总耗时(ms)",
        "2025/07/24 08:00:0{n},m,10{n},400,308,8500",
    ),
    "traditional Chinese": (
        "時間,模型,輸入Token數,輸出Token數,首Token耗时(ms),總耗時(ms)",
        "2025/07/24 08:00:0{n},m,10{n},400,308,8500",
    ),
    "Japanese": (
        "日時,モデル,入力トークン数,出力トークン数,初回トークン時間(秒),応答時間(秒)",
        "2025/07/25 08:00:0{n},m,10{n},400,0.308,8.500",
    ),
}


@pytest.mark.parametrize("tongue", TONGUES)
def test_columns_are_known_in_other_languages(tmp_path: Path, tongue: str) -> None:
    header, row = TONGUES[tongue]
    log = tmp_path / "log.csv"
    log.write_text("\n".join([header, *(row.replace("{n}", str(n)) for n in range(8))]) + "\n")
    frame = wl.ingest(log).frame.collect()
    assert frame["input_tokens"].to_list() == list(range(100, 108))
    assert frame["output_tokens"].unique().to_list() == [400]
    assert frame["model"].unique().to_list() == ["m"]
    assert frame["ttft_ns"].unique().to_list() == [308 * MS]
    assert frame["e2e_ns"].unique().to_list() == [8_500 * MS]
    assert frame["arrival_ns"].to_list() == [n * 1_000 * MS for n in range(8)]


def test_a_foreign_word_for_time_is_no_arrival_where_it_holds_durations(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("Zeit,input_tokens,output_tokens\n3.5,10,20\n2.5,11,21\n4.1,12,22\n")
    with pytest.raises(wl.WorkloadlabError, match="nothing looks like arrival"):
        wl.ingest(log)


def lines(folder: Path, **more: Any) -> Trace:
    at = "2026-09-21T14:13:2{}.5Z"
    log = folder / "log.jsonl"
    rows = (
        {"ts": at.format(n), "input_tokens": 100 + n, "output_tokens": 400} | more for n in range(8)
    )
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return wl.ingest(log)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_ms", 8_500),
        ("total_s", 8.5),
        ("total", "8.5s"),
        ("wall", "00:00:08.500"),
        ("took_ms", 8_500),
    ],
)
def test_the_whole_time_is_read_by_its_short_names(
    tmp_path: Path, name: str, value: object
) -> None:
    trace = lines(tmp_path, timings={"ttft_ms": 300, name: value})
    assert trace.read("e2e_ns")["e2e_ns"].unique().to_list() == [8_500 * MS]


@pytest.mark.parametrize(
    "more",
    [
        {"total": 500},
        {"total": "1,500"},
        {"total_ms": 100, "ttft_ms": 300},
        {"total_ms": 8_500, "wall_ms": 8_600},
    ],
    ids=["a count", "a count with a mark", "before the first token", "two of them"],
)
def test_a_total_that_may_be_something_else_is_left_and_named(
    tmp_path: Path, more: dict[str, int]
) -> None:
    trace = lines(tmp_path, **more)
    assert not trace.has("e2e_ns")
    if "total" not in more:
        assert any("total_ms" in note for note in trace.provenance.notes)


@pytest.mark.parametrize(
    ("name", "value"),
    [("gpu", "1.5s"), ("Leerlauf (ms)", 12), ("phase_b", "0:00:03.5"), ("idle_hours", 0.5)],
)
def test_durations_that_are_not_read_are_named(tmp_path: Path, name: str, value: object) -> None:
    assert any(name in note for note in lines(tmp_path, **{name: value}).provenance.notes)


def test_columns_as_lists_under_a_key_are_read(tmp_path: Path) -> None:
    listed = {
        "arrival_s": [0.5, 1.0, 2.5],
        "prompt_lens": [10, 20, 30],
        "gen_lens": [100, 200, 300],
        "latency_s": [2.0, 4.0, 6.0],
    }
    log = tmp_path / "bench.json"
    log.write_text(
        json.dumps({"meta": {"date": "20250806-101500", "n": 3}, "results": listed}, indent=1)
    )
    frame = wl.ingest(log).frame.collect()
    assert frame["input_tokens"].to_list() == [10, 20, 30]
    assert frame["e2e_ns"].to_list() == [2_000 * MS, 4_000 * MS, 6_000 * MS]
