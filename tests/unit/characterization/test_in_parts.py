"""A trace measured part by part: folders, what is left out, what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from support.profiles import differences
from support.traces import requests_at

import workloadlab as wl
from workloadlab import Profile, Trace, characterize
from workloadlab.characterization.bounded import (
    Partial,
    Plan,
    make_plan,
    measure,
    merge,
    merge_all,
    parties,
    reading,
)
from workloadlab.characterization.bounded.buckets import error, places_of
from workloadlab.characterization.bounded.facts.sketch import sketched
from workloadlab.characterization.bounded.in_flight import concurrency_of
from workloadlab.characterization.bounded.words import limbs, total
from workloadlab.characterization.characterize import finish
from workloadlab.characterization.needed_memory import BLOCK_BYTES, ROW_BYTES
from workloadlab.errors import DataError, MachineError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trace:
    monkeypatch.setattr("workloadlab.trace.store.ROW_GROUP", 50)
    rng = np.random.default_rng(3)
    at = np.sort(rng.random(600) * 5000)
    names = [f"t{k}" for k in rng.integers(0, 9, 600)]
    return requests_at(at, tenant_id=names, e2e_ns=10**9).save(tmp_path / "a.trace")


def cut(trace: Trace, part_rows: int = 100) -> tuple[Plan, list[Partial]]:
    plan = make_plan(trace, part_rows=part_rows)
    return plan, [measure(plan, place) for place in range(len(plan.parts))]


def test_the_limit_decides_and_the_profile_says_how_it_was_measured(saved: Trace) -> None:
    whole, parts = characterize(saved, row_limit=600), characterize(saved, row_limit=599)
    assert (whole.trace.parts, whole.trace.estimates) == (0, ())
    assert parts.trace.parts == 1
    assert "without holding the rows" in str(parts)
    assert "within 0.20%" in str(parts)
    assert "without holding" not in str(whole)
    assert Profile.from_dict(json.loads(parts.to_json())) == parts
    old = whole.to_dict()
    del old["trace"]["parts"], old["trace"]["estimates"]
    assert Profile.from_dict(old) == whole
    for limit in (0, "x", 1.5):
        with pytest.raises(UsageError, match=f"row_limit = {limit!r} is not a whole number"):
            characterize(saved, row_limit=limit)


def test_a_trace_that_memory_does_not_hold_is_measured_in_parts(saved: Trace) -> None:
    held = 600 * ROW_BYTES
    assert characterize(saved, memory_limit=held).trace.parts == 0
    with (
        patch("workloadlab.characterization.needed_memory.PARTS_BYTES", held - 1),
        pytest.raises(MachineError, match="part by part about"),
    ):
        characterize(saved, memory_limit=held - 2)
    with patch("workloadlab.characterization.needed_memory.PARTS_BYTES", held - 1):
        assert characterize(saved, memory_limit=held - 1).trace.parts == 1
    in_memory = Trace(saved.frame, saved.provenance)
    with pytest.raises(MachineError, match=r"600 rows needs about 150\.0 kB .*\n.* save the trace"):
        characterize(in_memory, memory_limit=held - 1)
    with pytest.raises(UsageError, match="memory_limit = -1"):
        characterize(saved, memory_limit=-1)


def test_blocks_count_for_the_memory_that_rows_take(tmp_path: Path) -> None:
    blocks = [[0, *range(9 * k + 1, 9 * k + 9)] for k in range(60)]
    saved = requests_at(range(60), block_ids=blocks, block_size=16).save(tmp_path / "a.trace")
    held = 60 * (ROW_BYTES + 9 * BLOCK_BYTES)
    with patch("workloadlab.characterization.needed_memory.PARTS_BYTES", 0):
        assert characterize(saved, memory_limit=held).trace.parts == 0
        assert characterize(saved, memory_limit=held - 1).trace.parts == 1


def test_what_needs_rows_together_is_left_out_and_says_what_to_do(saved: Trace) -> None:
    profile = characterize(saved, row_limit=1)
    assert "no request records session_id" in profile.sessions.unsupported
    assert "needs a latency model" in profile.phases.unsupported
    modelled = characterize(saved, "h100-llama-3.1-8b", row_limit=1)
    assert "the row limit or the memory limit" in modelled.phases.unsupported
    with (
        patch("workloadlab.characterization.characterize.ROW_LIMIT", 1),
        patch("workloadlab.characterization.characterize.TOGETHER_LIMIT", 1),
    ):
        modelled = characterize(saved, "h100-llama-3.1-8b")
    assert "trace.sample(requests=1_000_000" in modelled.phases.unsupported
    assert characterize(saved.sample(50, by="window"), row_limit=1).trace.parts == 0


def test_what_parts_cannot_measure_is_measured_at_once_where_the_default_holds_it(
    tmp_path: Path,
) -> None:
    blocks = [[0, k % 3 + 1] for k in range(60)]
    saved = requests_at(range(60), output_tokens=5, block_ids=blocks, block_size=16).save(
        tmp_path / "a.trace"
    )
    whole = characterize(saved, "h100-llama-3.1-8b")
    with patch("workloadlab.characterization.characterize.ROW_LIMIT", 59):
        parts = characterize(saved, "h100-llama-3.1-8b")
    assert parts.trace.parts == 1
    assert (parts.prefix, parts.phases) == (whole.prefix, whole.phases)
    assert parts.concurrency == whole.concurrency
    limited = characterize(saved, "h100-llama-3.1-8b", row_limit=59)
    assert "row limit" in limited.phases.unsupported
    assert limited.prefix.sharing == whole.prefix.sharing
    assert limited.prefix.tree == whole.prefix.tree
    assert "not measured part by part" in str(limited)
    assert "times to reuse" in str(limited)
    assert "times to reuse" not in str(parts)


def test_requests_in_flight_are_those_at_once_and_too_few_are_none(tmp_path: Path) -> None:
    trace = requests_at([0, 1, 1, 9], e2e_ns=[10**9, 3 * 10**9, 0, None], output_tokens=5)
    saved = trace.save(tmp_path / "a.trace")
    whole, parts = characterize(saved).to_dict(), characterize(saved, row_limit=1).to_dict()
    assert parts["concurrency"]["in_flight"] == whole["concurrency"]["in_flight"]
    assert differences(whole["concurrency"], parts["concurrency"]) == {}
    once = requests_at([4, 4], e2e_ns=10**9).save(tmp_path / "b.trace")
    assert characterize(once, row_limit=1).concurrency == characterize(once).concurrency


def test_durations_that_no_one_records_or_predicts_are_named_as_the_reason(tmp_path: Path) -> None:
    trace = requests_at([0, 1, 2], output_tokens=5).save(tmp_path / "b.trace")
    whole, parts = characterize(trace), characterize(trace, row_limit=1)
    assert parts.concurrency == whole.concurrency
    assert "no request records e2e_ns" in parts.concurrency.unsupported
    modelled = characterize(trace, "h100-llama-3.1-8b", row_limit=1)
    assert "part by part" in modelled.concurrency.unsupported


def test_no_sample_is_told_of_where_all_rows_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    lengths = {"input_tokens": rng.integers(1, 99, 60), "output_tokens": rng.integers(1, 99, 60)}
    saved = requests_at(range(60), **lengths).save(tmp_path / "a.trace")
    parts, whole = characterize(saved, row_limit=1), characterize(saved)
    assert "evenly spaced rows" not in str(parts)
    assert parts.lengths.joint.spearman == pytest.approx(whole.lengths.joint.spearman)
    monkeypatch.setattr("workloadlab.characterization.bounded.finish.MOST", 59)
    assert "evenly spaced rows" in " ".join(str(characterize(saved, row_limit=1)).split())


def test_a_folder_whose_files_overlap_is_one_trace(tmp_path: Path) -> None:
    header = "timestamp,prompt_tokens,completion_tokens\n"
    for n, minutes in enumerate(((0, 2, 9, 14), (1, 3, 10, 13), (5, 6))):
        rows = [f"2026-09-21 14:{m:02}:20,{100 + m},{m}\n" for m in minutes]
        (tmp_path / f"{n}.csv").write_text(header + "".join(rows))
        grown = wl.ingest(tmp_path / f"{n}.csv", tmp_path / "all", append=True)
    plan, partials = cut(grown, 2)
    assert len(plan.files) == 3
    assert len(plan.parts) > 1
    exact = characterize(grown)
    assert (
        differences(
            exact.to_dict(),
            finish(grown, plan, merge_all(partials), concurrency_of(plan)).to_dict(),
        )
        == {}
    )
    assert exact.trace.requests == 10


def test_plans_travel_as_json_and_do_not_depend_on_where_the_files_are(
    saved: Trace, tmp_path: Path
) -> None:
    plan = make_plan(saved, part_rows=100)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    elsewhere = tmp_path / "b.trace"
    elsewhere.write_bytes(saved.path.read_bytes())
    assert make_plan(Trace.open(elsewhere), part_rows=100).key == plan.key
    assert make_plan(saved, part_rows=300).key != plan.key


def test_partial_results_of_other_traces_twice_or_lacking_are_refused(saved: Trace) -> None:
    plan, partials = cut(saved)
    _, others = cut(saved, 300)
    with pytest.raises(UsageError, match="cut differently"):
        merge(partials[0], others[1])
    with pytest.raises(UsageError, match="part 0 is in both"):
        merge(merge(partials[0], partials[1]), partials[0])
    with pytest.raises(DataError, match=f"part 1 of {len(partials)} is not measured"):
        finish(saved, plan, merge_all([partials[0], *partials[2:]]), None)
    with pytest.raises(UsageError, match="no part 99"):
        measure(plan, 99)
    stored = partials[0].to_bytes()
    for damaged in (b"", stored[:-9], b"PAR1" + stored[4:200]):
        with pytest.raises(DataError, match="is no partial result"):
            Partial.from_bytes(damaged)


def test_what_is_no_file_or_has_no_arrivals_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no file"):
        make_plan(Trace.of([(0, 1, 1)]))
    with pytest.raises(UnsupportedError, match="no request is measured"):
        make_plan(requests_at([0, 1], warmup=True).save(tmp_path / "w.trace"))
    timeless = pl.DataFrame({"arrival_ns": [None, None], "input_tokens": [1, 2]})
    lengths = Trace.from_frame(timeless.cast({"arrival_ns": pl.Int64})).save(tmp_path / "l.trace")
    with pytest.raises((DataError, UnsupportedError), match="arrival"):
        characterize(lengths, row_limit=1)


def test_rows_in_no_order_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloadlab.trace.store.ROW_GROUP", 10)
    monkeypatch.setattr(reading, "MOST_WAITING", 20)
    trace = requests_at(range(200))
    shuffled = trace.frame.collect().sample(200, shuffle=True, seed=1).lazy()
    saved = Trace(shuffled, trace.provenance).save(tmp_path / "u.trace")
    with pytest.raises(DataError, match="in no order of arrival"):
        characterize(saved, row_limit=1)


def test_many_names_cost_their_gaps_and_days_and_nothing_else(
    saved: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parties, "MOST_NAMES", 3)
    plan, partials = cut(saved)
    whole = merge_all(partials)
    assert whole.to_bytes() == merge_all(partials[::-1]).to_bytes()
    few, exact = finish(saved, plan, whole, None).tenants, characterize(saved).tenants
    assert few.parties["tenant_id"].iat_cv is None
    assert few.parties["tenant_id"].requests == exact.parties["tenant_id"].requests
    assert [p.input_p50 for p in few.parties["tenant_id"].largest] == [
        p.input_p50 for p in exact.parties["tenant_id"].largest
    ]


def test_names_that_were_not_looked_at_closely_have_counts_alone(
    saved: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloadlab.characterization.bounded.groups.CANDIDATES", 2)
    profile = characterize(saved, row_limit=1)
    known = [group.e2e_s["p50"] is not None for group in profile.service_levels.by_tenant]
    assert known.count(True) == 2
    exact = characterize(saved)
    for mine, theirs in zip(
        profile.service_levels.by_tenant, exact.service_levels.by_tenant, strict=True
    ):
        assert (mine.name, mine.requests) == (theirs.name, theirs.requests)


@pytest.mark.parametrize("digits", [2, 8, 10])
def test_buckets_hold_small_numbers_exactly_and_large_ones_within_their_error(digits: int) -> None:
    rng = np.random.default_rng(digits)
    numbers = np.concatenate(
        (np.arange(3000), 2 ** rng.integers(0, 50, 500), rng.integers(0, 2**50, 500))
    )
    for number in numbers.tolist():
        place = places_of(np.array([number]), digits)
        middle = sketched(np.array([[place[0], 1]]), digits).quantiles([0.5])[0]
        assert abs(middle - number) <= error(digits) * number
        if number < 2 ** (digits + 1):
            assert middle == number


def test_sums_beyond_64_bits() -> None:
    words = np.array([[1, 2**64 - 1], [0, 7]], np.uint64)
    assert total(limbs(words).sum(axis=0)) == 2**64 + 2**64 - 1 + 7
