"""Measurement: the plan, refinement and resuming, with a timer that is a formula."""

from __future__ import annotations

import json
import math

import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import ModelGeometry, fit, read_samples
from workloadlab.latency.measurement import Limits, Shape, measure, planned, refined

GEOMETRY = ModelGeometry.named("Llama-3.1-8B")
SMALL = Limits(seqs=16, chunk_tokens=256, context_tokens=2048)


class FormulaTimer:
    """Answers from a formula; may break down after so many steps."""

    def __init__(self, breaks_after=math.inf, too_large=math.inf, **conditions):
        self.conditions = {"gpu": "formula", "model": "m", "dtype": "bf16"} | conditions
        self.asked = []
        self.breaks_after, self.too_large = breaks_after, too_large

    def seconds(self, shape):
        if len(self.asked) >= self.breaks_after:
            raise KeyboardInterrupt
        self.asked.append(shape)
        if shape.kv_tokens > self.too_large:
            return math.nan
        p, x, n, c = shape.features
        compute = max(0.008, 6e-5 * (p + n))
        return compute + 1e-9 * x + 8e-8 * c

    def clock_mhz(self):
        return 1500


def test_plan_stays_within_its_limits_and_has_every_kind_of_step():
    grid = planned(SMALL)
    assert len(set(grid)) == len(grid)
    assert all(SMALL.allow(shape) for shape in grid)
    kinds = {(shape.prefill_tokens > 0, shape.decode_seqs > 0) for shape in grid}
    assert kinds == {(True, False), (False, True), (True, True)}
    assert planned(SMALL) == grid


def test_plan_leaves_out_what_does_not_fit_into_memory():
    tight = Limits(seqs=16, chunk_tokens=256, context_tokens=2048, kv_tokens=4000)
    assert max(shape.kv_tokens for shape in planned(tight)) <= 4000
    assert len(planned(tight)) < len(planned(SMALL))


@pytest.mark.parametrize("name", ["seqs", "chunk_tokens", "context_tokens", "kv_tokens"])
def test_limits_below_one_are_refused(name):
    with pytest.raises(UsageError, match=name):
        Limits(**{name: 0})


def test_features_are_those_of_the_step_table():
    assert Shape(100, 50, 4, 1000).features == (100, 5000, 4, 4000)
    assert Shape(100, 50, 4, 1000).kv_tokens == 150 + 4 * 1001


def test_refinement_goes_where_the_fit_is_wrong():
    timer = FormulaTimer()
    measured = {shape: timer.seconds(shape) for shape in planned(SMALL)}
    odd = Shape(0, 0, 16, 256)
    measured[odd] *= 3
    more = refined(measured, SMALL, most=4)
    assert 0 < len(more) <= 4
    assert not set(more) & set(measured)
    assert more[0].prefill_tokens == 0
    near = more[0].decode_seqs == 16 or more[0].context_tokens == 256
    assert near, more[0]


def test_refinement_needs_something_to_fit():
    assert refined({Shape(0, 0, 1, 64): 0.01}, SMALL, most=4) == []


def test_measure_writes_a_step_table_that_fit_reads(tmp_path):
    timer = FormulaTimer()
    seen = []
    table = measure(
        GEOMETRY, tmp_path / "s.parquet", limits=SMALL, refine=12, timer=timer,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert table.height == len(planned(SMALL)) + 12 == len(timer.asked)
    assert seen[-1] == (table.height, table.height)
    assert read_samples(tmp_path / "s.parquet").equals(table)
    row = table.row(0, named=True)
    assert row["latency_ns"] > 0
    assert (row["gpu"], row["model"], row["tp"]) == ("formula", "m", 1)
    model = fit(tmp_path / "s.parquet", estimator="linear")
    long = {"decode_seqs": 16, "decode_context_tokens": 16 * 1000}
    assert model.step_time_s(**long) == pytest.approx(0.008 + 8e-8 * 16_000, rel=0.05)


def test_an_interrupted_measurement_goes_on_where_it_was(tmp_path):
    out = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        measure(GEOMETRY, out, limits=SMALL, refine=6, timer=FormulaTimer(breaks_after=20))
    journal = out.with_name("s.parquet.journal.jsonl")
    with journal.open("a") as file:
        file.write('{"shape": [0, 0, 1')
    later = FormulaTimer()
    table = measure(GEOMETRY, out, limits=SMALL, refine=6, timer=later)
    assert len(later.asked) == table.height - 20
    whole = measure(
        GEOMETRY, tmp_path / "whole.parquet", limits=SMALL, refine=6, timer=FormulaTimer()
    )
    assert table.equals(whole)


def test_the_journal_keeps_conditions_and_clocks(tmp_path):
    timer = FormulaTimer(driver_version="1.2")
    measure(GEOMETRY, tmp_path / "s.parquet", limits=SMALL, refine=0, timer=timer)
    lines = (tmp_path / "s.parquet.journal.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["driver_version"] == "1.2"
    assert json.loads(lines[1])["clock_mhz"] == 1500


@pytest.mark.parametrize("change", [{"gpu": "other"}, {"dtype": "fp16"}, {"model": "other"}])
def test_other_conditions_do_not_mix_with_a_journal(tmp_path, change):
    out = tmp_path / "s.parquet"
    measure(GEOMETRY, out, limits=SMALL, refine=0, timer=FormulaTimer())
    with pytest.raises(DataError, match=next(iter(change))):
        measure(GEOMETRY, out, limits=SMALL, refine=0, timer=FormulaTimer(**change))


def test_a_file_that_is_no_journal_is_named(tmp_path):
    (tmp_path / "s.parquet.journal.jsonl").write_text("not json\n")
    with pytest.raises(DataError, match=r"s\.parquet\.journal\.jsonl"):
        measure(GEOMETRY, tmp_path / "s.parquet", limits=SMALL, timer=FormulaTimer())


def test_steps_beyond_memory_are_left_out_and_not_tried_again(tmp_path):
    out = tmp_path / "s.parquet"
    table = measure(GEOMETRY, out, limits=SMALL, refine=0, timer=FormulaTimer(too_large=8000))
    assert table.height < len(planned(SMALL))
    again = FormulaTimer(too_large=8000)
    assert measure(GEOMETRY, out, limits=SMALL, refine=0, timer=again).equals(table)
    assert not again.asked


def test_a_device_that_fits_nothing_is_told_so(tmp_path):
    with pytest.raises(DataError, match="no step fits"):
        measure(
            GEOMETRY,
            tmp_path / "s.parquet",
            limits=SMALL,
            refine=0,
            timer=FormulaTimer(too_large=0),
        )


def test_without_pytorch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(UsageError, match=r"workloadlab\[measure\]"):
        measure(GEOMETRY, tmp_path / "s.parquet")


def test_csv_by_name(tmp_path):
    measure(GEOMETRY, tmp_path / "s.csv", limits=SMALL, refine=0, timer=FormulaTimer())
    assert pl.read_csv(tmp_path / "s.csv").height == len(planned(SMALL))
