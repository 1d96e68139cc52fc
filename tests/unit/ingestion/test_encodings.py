"""Logs in encodings other than UTF-8, outcomes in other words, rows of totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import workloadlab as wl
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = "".join(f"2025/07/24 08:00:0{n},{100 + n},400,8500\n" for n in range(8))


@pytest.mark.parametrize(
    ("encoding", "header", "named"),
    [
        ("gb18030", "请求时间,输入Token数,输出Token数,总耗时(ms)", "GB18030"),
        ("shift_jis", "日時,入力トークン数,出力トークン数,応答時間(ミリ秒)", "Shift-JIS"),
        ("cp1252", "Début,Jetons d\u2019entrée,Jetons de sortie,Durée (ms)", "Windows-1252"),
        ("latin-1", "Début,Jetons d'entrée,Jetons de sortie,Durée (ms)", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_names_are_read_in_their_encoding(
    tmp_path: Path, encoding: str, header: str, named: str, mapped: bool
) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(f"{header}\n{ROWS}".encode(encoding))
    names = header.split(",")
    mapping = {"arrival": names[0], "input_tokens": names[1], "e2e": names[3]} if mapped else None
    trace = wl.ingest(log, mapping=mapping)
    assert trace.read("input_tokens")["input_tokens"].to_list() == list(range(100, 108))
    assert trace.read("e2e_ns")["e2e_ns"].unique().to_list() == [8_500_000_000]
    assert f"log.csv is not UTF-8: read as {named}" in trace.provenance.notes


def test_names_in_an_encoding_that_cannot_be_told_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(f"Время,Вход,Выход,Длительность\n{ROWS}".encode("cp1251"))
    with pytest.raises(wl.WorkloadlabError, match="not UTF-8") as caught:
        wl.ingest(log)
    assert "iconv" in (caught.value.fix or "")


def test_utf8_with_a_damaged_byte_stays_utf8(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(
        "请求时间,输入Token数,输出Token数,模型\n".encode() + b"2025/07/24 08:00:00,1,2,a\xff\n"
    )
    trace = wl.ingest(log)
    assert trace.requests == 1
    assert not any("UTF-8" in note for note in trace.provenance.notes)


def log_of(folder: Path, *words: str) -> Path:
    at = "2025-07-24 08:{:02}:{:02}"
    rows = [f"{at.format(n // 60, n % 60)}.5,{100 + n},400,{word}" for n, word in enumerate(words)]
    (folder / "log.csv").write_text("\n".join(["ts,input_tokens,output_tokens,status", *rows, ""]))
    return folder / "log.csv"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("client_cancelled", "cancelled"),
        ("Cancelled by client", "cancelled"),
        ("upstream-timeout", "timeout"),
        ("Fehler", "error"),
        ("Abgebrochen", "cancelled"),
        ("Échec", "error"),
        ("失败", "error"),
        ("エラー", "error"),
        ("キャンセル", "cancelled"),
    ],
)
def test_evident_words_are_outcomes(tmp_path: Path, word: str, outcome: str) -> None:
    trace = wl.ingest(log_of(tmp_path, *["ok"] * 6, word))
    assert trace.read("outcome")["outcome"].to_list() == ["ok"] * 6 + [outcome]


@pytest.mark.parametrize("word", ["no_error", "fallback", "partial"])
def test_words_that_say_no_outcome_are_asked_about(tmp_path: Path, word: str) -> None:
    log = log_of(tmp_path, *["ok"] * 6, word, word)
    with pytest.raises(UsageError, match=f"status says {word} in 2 of 8 rows") as caught:
        wl.ingest(log)
    assert "--map outcome=" in (caught.value.fix or "")
    assert wl.ingest(log, mapping={"outcome": ""}).requests == 8
    assert wl.ingest(log, where={"status": "ok"}).requests == 6


def test_one_odd_word_costs_its_row_only(tmp_path: Path) -> None:
    trace = wl.ingest(log_of(tmp_path, *["ok"] * 300, "garbage"))
    assert trace.provenance.rows["rejected"] == {"unknown outcome": 1}


@pytest.mark.parametrize("word", ["Total", "Summe", "合計", "Grand total:"])
def test_a_row_of_totals_is_left_out(tmp_path: Path, word: str) -> None:
    log = log_of(tmp_path, *["ok"] * 6)
    log.write_text(log.read_text() + f"{word},615,2400,\n")
    trace = wl.ingest(log)
    assert trace.requests == 6
    assert trace.provenance.rows["left_out"] == {"row of totals": 1}
    assert trace.provenance.rows["rejected"] == {}


def test_a_row_of_totals_hides_no_days_without_a_time_of_day(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    days = "".join(f"2025-07-0{n},{7000 * n},{500 * n}\n" for n in range(1, 8))
    log.write_text(f"date,input_tokens,output_tokens\n{days}Total,196000,14000\n")
    with pytest.raises(wl.WorkloadlabError, match="day only"):
        wl.ingest(log)


@pytest.mark.parametrize("word", ["total", "sum"])
def test_a_route_named_like_a_total_is_no_row_of_totals(tmp_path: Path, word: str) -> None:
    log = tmp_path / "log.csv"
    rows = "".join(f"{word},2025-07-24 08:00:0{n},{100 + n},400\n" for n in range(8))
    log.write_text(f"route,ts,input_tokens,output_tokens\n{rows}")
    assert wl.ingest(log).requests == 8


def test_korean_is_not_read_as_chinese(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(f"시간,입력 토큰 수,출력 토큰 수,소요 시간(초)\n{ROWS}".encode("euc-kr"))
    with pytest.raises(wl.WorkloadlabError, match="입력 토큰 수") as caught:
        wl.ingest(log)
    assert "read as EUC-KR" in str(caught.value)
    assert wl.ingest(log, mapping={"arrival": "시간", "input_tokens": "입력 토큰 수"}).requests == 8
