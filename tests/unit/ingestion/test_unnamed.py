"""What a refusal says of columns that go by no known name, and counts that are no tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = "2026-09-21T14:13:2{}.5{}Z"


def refusal(
    folder: Path, row: Callable[[int], dict[str, Any]], **options: Any
) -> wl.WorkloadlabError:
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(row(n)) + "\n" for n in range(8)))
    with pytest.raises(wl.WorkloadlabError) as caught:
        wl.ingest(log, **options)
    return caught.value


def test_columns_are_proposed_by_their_values(tmp_path: Path) -> None:
    told = refusal(
        tmp_path,
        lambda n: {
            "chwila": AT.format(n, n),
            "wejście": 100 + n,
            "wyjście": "1,400",
            "czas (ms)": 8500,
        },
    )
    assert "perhaps input_tokens, output_tokens: wejście, wyjście" in told.what
    assert "perhaps durations (e2e, ttft): czas (ms)" in told.what
    assert "--map arrival=chwila --map input_tokens=COLUMN" in (told.fix or "")


def test_tokens_between_brackets_are_no_unit_of_time(tmp_path: Path) -> None:
    told = refusal(tmp_path, lambda n: {"chwila": AT.format(n, n), "Indata (tokens)": 100 + n})
    assert "perhaps input_tokens, output_tokens: Indata (tokens)" in told.what


def test_a_name_with_a_space_is_quoted(tmp_path: Path) -> None:
    told = refusal(tmp_path, lambda n: {"pewna chwila": AT.format(n, n), "wejście": 100 + n})
    assert "--map 'arrival=pewna chwila'" in (told.fix or "")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("prompt_chars", "characters"),
        ("prompt_words", "words"),
        ("bytes_in", "bytes"),
        ("Zeichen", "characters"),
        ("total_tokens", "prompts and answers together"),
    ],
)
def test_what_counts_no_tokens_is_neither_offered_nor_mapped(
    tmp_path: Path, name: str, unit: str
) -> None:
    def row(n: int) -> dict[str, Any]:
        return {"timestamp": AT.format(n, n), name: 4000 + n, "latency_ms": 850}

    told = refusal(tmp_path, row)
    assert f"{name} counts {unit}" in told.what
    assert "COLUMN" not in (told.fix or "")
    mapped = refusal(tmp_path, row, mapping={"input_tokens": name})
    assert f"by its name it counts {unit}" in mapped.what


def test_words_that_name_a_count_of_tokens_are_mapped(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows = [{"timestamp": AT.format(n, n), "word_tokens": 40 + n} for n in range(8)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert wl.ingest(log, mapping={"input_tokens": "word_tokens"}).requests == 8


def test_one_row_a_metric_is_refused_by_that(tmp_path: Path) -> None:
    told = refusal(
        tmp_path,
        lambda n: {
            "timestamp": AT.format(n, n),
            "name": ("Prompt Tokens", "Completion Tokens")[n % 2],
            "value": 500 + n,
        },
    )
    assert "one row a metric" in told.what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slot launch_slot_: id  0 | task 0 | processing task\n", "llama.cpp"),
        ('vllm:prompt_tokens_total{engine="0",model_name="llama"} 1.2e+06\n', "Prometheus"),
        (
            '# HELP a b\nvllm:num_running{engine="0",m="x"} 3\nvllm:b{engine="0",m="x"} 4\n',
            "Prometheus",
        ),
    ],
)
def test_texts_of_engines_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "log").write_text(text * 3)
    with pytest.raises(wl.WorkloadlabError, match=said):
        wl.ingest(tmp_path / "log")


def test_of_two_equal_moments_the_finer_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows = [
        {
            "timestamp_ms": 1_752_753_600_585 + 1_700 * n,
            "response": {
                "created": (1_752_753_600_585 + 1_700 * n) // 1000,
                "usage": {"prompt_tokens": 100 + n, "completion_tokens": 50},
            },
        }
        for n in range(8)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    trace = wl.ingest(log)
    assert trace.read("arrival_ns")["arrival_ns"].to_list() == [n * 1_700_000_000 for n in range(8)]


@pytest.mark.parametrize("behind", [0, 1_500], ids=["equal", "shipped later"])
def test_repeated_rows_name_the_way_to_one_of_each(tmp_path: Path, behind: int) -> None:
    log = tmp_path / "log.jsonl"
    row = {"id": "07fdc0be", "input_tokens": 9, "output_tokens": 5, "e2e_ms": 500, "seen": 0}
    lines = [json.dumps(row | {"id": f"a{n}", "time": AT.format(n, n)}) for n in range(6)]
    again = json.dumps(row | {"id": "a5", "time": AT.format(5, 5), "seen": behind})
    log.write_text("\n".join([*lines, again, ""]))
    note = next(n for n in wl.ingest(log).provenance.notes if "twice" in n)
    assert note.endswith("to keep one of each: --drop-repeats")
    assert wl.ingest(log, drop_repeats=True).requests == 6
