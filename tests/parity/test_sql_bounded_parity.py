"""A million rows measured part by part against DuckDB's SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.headlines import against_sql, wrong

from workloadlab import Trace, characterize

if TYPE_CHECKING:
    from workloadlab import Profile

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from bench_scale import generate


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trace, Profile]:
    path = tmp_path_factory.mktemp("million") / "million.trace"
    generate(1_000_000, path)
    trace = Trace.open(path)
    return trace, characterize(trace, row_limit=300_000)


def test_every_headline_is_that_of_sql_or_within_its_error(million: tuple[Trace, Profile]) -> None:
    trace, profile = million
    assert profile.trace.parts > 0
    told = against_sql(trace, profile)
    assert len(told) > 400
    assert wrong(told) == {}
