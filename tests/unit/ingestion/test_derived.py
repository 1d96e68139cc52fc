"""Columns that follow from others: answers from totals, ends from pairs of stamps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
T0 = 1_790_000_000
ROWS = range(24)
PLAIN = {"prompt_tokens": 90, "completion_tokens": 60}


def moment(second: float) -> str:
    return f"2026-09-21T14:13:{20 + second:06.3f}Z"


def read(folder: Path, row: Callable[[int], dict[str, Any]], **options: Any) -> Trace:
    (folder / "log").write_text("".join(json.dumps(row(n)) + "\n" for n in ROWS))
    return wl.ingest(folder / "log", **options)


def column(trace: Trace, name: str) -> list[Any]:
    frame = trace.frame.collect()
    return frame[name].to_list() if name in frame.columns else []


def test_answers_are_what_a_total_leaves(tmp_path: Path) -> None:
    trace = read(tmp_path, lambda n: {"ts": T0 + n, "input_tokens": 90, "total_tokens": 100 + n})
    assert column(trace, "output_tokens") == [10 + n for n in ROWS]
    assert trace.provenance.options["mapping"]["output_tokens"] == "total_tokens - input_tokens"


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 90, "total_tokens": 100, "cache_read_tokens": 10},
        {"input_tokens": 90, "total_tokens": 80},
    ],
)
def test_totals_that_may_hold_more_give_no_answers(tmp_path: Path, usage: dict[str, int]) -> None:
    assert column(read(tmp_path, lambda n: {"ts": T0 + n, **usage}), "output_tokens") == []


def test_counts_that_the_user_subtracts(tmp_path: Path) -> None:
    trace = read(
        tmp_path,
        lambda n: {"ts": T0 + n, "prompt_tokens": 90, "all": 80 if n == 3 else 100},
        mapping={"output_tokens": "all-prompt_tokens"},
    )
    assert column(trace, "output_tokens") == [10] * 23
    assert trace.provenance.rows["rejected"] == {"negative token count": 1}


def test_a_key_like_a_count_that_is_not_read_is_told(tmp_path: Path) -> None:
    trace = read(tmp_path, lambda n: {"ts": T0 + n, "prompt_tokens": 90, "toks_gen_raw": 5})
    told = "no tokens of answers are read; perhaps --map output_tokens=toks_gen_raw"
    assert told in trace.provenance.notes


@pytest.mark.parametrize(
    "name", ["n_generated_tokens", "num_output_tokens", "number_of_completion_tokens"]
)
def test_numbers_of_tokens(tmp_path: Path, name: str) -> None:
    trace = read(tmp_path, lambda n: {"ts": T0 + n, "prompt_tokens": 9, name: 5})
    assert column(trace, "output_tokens") == [5] * 24


@pytest.mark.parametrize("unit", [1, 1_000])
def test_a_stamp_without_start_beside_one_with_it_is_the_end(tmp_path: Path, unit: int) -> None:
    def row(n: int) -> dict[str, Any]:
        return PLAIN | {"start_timestamp": (T0 + n) * unit, "timestamp": (T0 + n + 1.5) * unit}

    trace = read(tmp_path, row)
    assert column(trace, "e2e_ns") == [1_500 * MS] * 24
    assert column(trace, "arrival_ns") == [n * S for n in ROWS]


def test_the_session_of_langsmith_is_its_project(tmp_path: Path) -> None:
    run = {"run_type": "llm", "session_id": "project", **PLAIN}
    trace = read(tmp_path, lambda n: {"start_time": moment(n), "trace_id": f"t{n}", **run})
    assert column(trace, "session_id") == []


def test_one_session_for_all_is_told(tmp_path: Path) -> None:
    trace = read(tmp_path, lambda n: {"ts": T0 + n, "session": "worker-1", **PLAIN})
    assert any(
        "session is one for all requests looked at" in note for note in trace.provenance.notes
    )
    trace = read(tmp_path, lambda n: {"ts": T0 + n, "session": f"c{n % 5}", **PLAIN})
    assert trace.provenance.notes == []


def test_caddy_logs_ends_and_headers_in_lists(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        headers = {"X-Prompt-Tokens": [str(90 + n)], "X-Completion-Tokens": ["60"]}
        return {
            "ts": T0 + n + 1.5,
            "duration": 1.5,
            "request": {"remote_ip": "::1"},
            "resp_headers": headers,
        }

    trace = read(tmp_path, row)
    assert column(trace, "input_tokens") == [90 + n for n in ROWS]
    assert trace.provenance.t0_unix_ns == T0 * S


def test_a_known_log_with_counts_of_other_names(tmp_path: Path) -> None:
    def row(n: int) -> dict[str, Any]:
        counts = {"llm_prompt_tokens": "-" if n == 3 else "90", "llm_completion_tokens": "60"}
        return {"start_time": moment(n), "duration": 1500, "response_code": 200, **counts}

    trace = read(tmp_path, row)
    assert (trace.provenance.reader, trace.requests) == ("envoy", 23)
    assert column(trace, "output_tokens") == [60] * 23


@pytest.mark.parametrize("name", ["accept_date", "started", "submitted_at"])
def test_beginnings_by_other_names(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, lambda n: {name: moment(n), **PLAIN}).requests == 24


def test_a_moment_of_no_known_name_is_proposed(tmp_path: Path) -> None:
    with pytest.raises(wl.WorkloadlabError) as caught:
        read(tmp_path, lambda n: {"chwila": moment(n), **PLAIN})
    assert "--map arrival=chwila" in caught.value.fix


@pytest.mark.parametrize(
    ("word", "ended"),
    [({"msg": "request completed"}, True), ({"event": "llm_call_end"}, True),
     ({"event": "chat.completion"}, False), ({"status": "done"}, False)],
)  # fmt: skip
def test_a_line_that_says_completed_is_written_at_the_end(
    tmp_path: Path, word: dict[str, str], ended: bool
) -> None:
    took = {"time": None, "responseTime": 1500}
    trace = read(tmp_path, lambda n: PLAIN | took | word | {"time": (T0 + n) * 1000})
    assert trace.provenance.t0_unix_ns == (T0 - 1.5 if ended else T0) * S
    assert column(trace, "e2e_ns") == [1_500 * MS] * 24


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"total_tokens": 160, "reasoning_tokens": 10}, (90, 70)),
        ({"total_tokens": 150, "reasoning_tokens": 10}, (90, 60)),
        ({"reasoning_tokens": 10}, (90, 60)),
        ({"total_tokens": 170, "cached_tokens": 20}, (110, 60)),
        ({"total_tokens": 150, "cached_tokens": 20}, (90, 60)),
    ],
)
def test_a_total_tells_whether_a_part_is_apart(
    tmp_path: Path, usage: dict[str, int], counts: tuple[int, int]
) -> None:
    trace = read(tmp_path, lambda n: {"ts": T0 + n, **PLAIN, **usage})
    assert (column(trace, "input_tokens")[0], column(trace, "output_tokens")[0]) == counts
    told = any("shows that it is counted apart" in note for note in trace.provenance.notes)
    assert told == (counts != (90, 60))


@pytest.mark.parametrize(
    ("start", "prompt"), [("usage_", 100), ("resp_usage_", 100), ("gen_ai_usage_", 60)]
)
def test_usage_that_a_warehouse_flattened(tmp_path: Path, start: str, prompt: int) -> None:
    usage = {
        f"{start}input_tokens": 60,
        f"{start}cache_read_input_tokens": 40,
        f"{start}output_tokens": 9,
    }
    trace = read(tmp_path, lambda n: {"ts": T0 + n, **usage})
    assert column(trace, "input_tokens") == [prompt] * 24
    assert column(trace, "output_tokens") == [9] * 24


def test_rows_of_batches_and_gaps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(wl.WorkloadlabError, match="batch_size is 8 in one row"):
        read(tmp_path, lambda n: {"ts": T0 + n, "batch_size": 8, **PLAIN})
    with pytest.raises(wl.WorkloadlabError, match="nothing looks like arrival"):
        read(tmp_path, lambda n: {"inter_arrival_s": n / 7, **PLAIN})


def test_moments_of_a_notebook(tmp_path: Path) -> None:
    rows = [f"{n},{T0 + n},{T0 + n + 0.25},{T0 + n + 1.5},9,{60 + n}\n" for n in ROWS]
    (tmp_path / "log.csv").write_text(
        "Unnamed: 0,t_submit,t_first,t_done,n_in,n_out\n" + "".join(rows)
    )
    trace = wl.ingest(tmp_path / "log.csv")
    assert column(trace, "ttft_ns") == [250 * MS] * 24
    assert column(trace, "e2e_ns") == [1_500 * MS] * 24


def test_a_first_token_that_is_not_read_is_told(tmp_path: Path) -> None:
    trace = read(
        tmp_path, lambda n: {"ts": T0 + n, **PLAIN, "my_first_token": 0.25, "latency_s": 1.5}
    )
    assert "not read, though they look like times: my_first_token" in trace.provenance.notes


def test_local_time_of_a_portal(tmp_path: Path) -> None:
    assert read(tmp_path, lambda n: {"timestamp [Local Time]": moment(n), **PLAIN}).requests == 24


@pytest.mark.parametrize("told", [True, False])
def test_a_stamp_that_may_be_the_end_is_named(tmp_path: Path, told: bool) -> None:
    """Lines are written when requests end, so ends that grow where stamps do not show the starts."""
    took = [2000 if n % 2 else 100 for n in ROWS]
    at = [n * 1000 - (0 if told else took[n]) for n in ROWS]
    rows = [PLAIN | {"ts": moment(at[n] / 1000 + 9), "duration_ms": took[n]} for n in ROWS]
    trace = read(tmp_path, rows.__getitem__)
    assert any("--map 'arrival=ts-duration_ms'" in note for note in trace.provenance.notes) == told
    end = read(tmp_path, rows.__getitem__, mapping={"arrival": "ts-duration_ms"})
    earliest = min(at[n] - took[n] for n in ROWS)
    assert end.provenance.t0_unix_ns == (T0 + 9) * S + earliest * MS


def test_a_total_beside_a_first_token_is_the_whole_time(tmp_path: Path) -> None:
    row = {"tokens_in": 90, "tokens_out": 60, "ttft": 0.25}
    trace = read(tmp_path, lambda n: {"start_time": moment(n), "total": 1.5 + n / 100, **row})
    assert column(trace, "e2e_ns") == [(1500 + 10 * n) * MS for n in ROWS]
    costs = read(tmp_path, lambda n: {"start_time": moment(n), "total": 0.0125, **row})
    assert column(costs, "e2e_ns") == []


def test_moments_by_their_shortest_names(tmp_path: Path) -> None:
    row = {"prompt_len": 90, "output_len": 60}
    at = T0 + 0.25
    trace = read(
        tmp_path, lambda n: {"t0": at + n, "t_first": at + n + 1, "t_last": at + n + 2, **row}
    )
    assert column(trace, "e2e_ns") == [2 * S] * 24
    assert trace.provenance.units == {"arrival": "s", "ttft": "s", "e2e": "s"}
    assert read(tmp_path, lambda n: {"@t": moment(n), **row}).requests == 24
