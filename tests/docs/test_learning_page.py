"""The page of learned routers says what a folder of results holds, and what is missing in it."""

from __future__ import annotations

import json

import pytest
from support.study.cells import INSTANCES, MEASURES
from support.study.page import page
from support.study.results import METHODS, Study
from support.study.settings import SETTINGS

from workloadlab.learning import LOADS

NAME = "conv-two-kinds"
MEASURED = {"measured": ["2026-11-30", "0a53946"]}
CELLS = [(instances, load) for instances in INSTANCES for load in LOADS]


def cells(**seconds):
    """Every cell with the same seconds by router, of all measures."""
    routers = {
        name: dict.fromkeys(MEASURES, value) | {"served": 9}
        for name, value in seconds.items()
    }  # fmt: skip
    return [{"instances": i, "load": load, "routers": routers} for i, load in CELLS]


@pytest.fixture
def folder(tmp_path):
    shelf = {"selected": "lmetric", "cells": cells(round_robin=4.0, lmetric=2.0, hra=1.0)}
    es = {
        "verdict": "beats lmetric",
        "cells": cells(**{"es": 0.8, "es, seed 0": 0.8, "es, seed 1": 1.1}),
    }
    (tmp_path / NAME).mkdir()
    for what, facts in (
        ("heuristics", shelf),
        ("es", es),
        ("search", {"cells": cells(hindsight=0.5)[:1]}),
    ):
        (tmp_path / NAME / f"{what}.json").write_text(json.dumps(facts | MEASURED))
    return tmp_path


def test_it_compares_with_the_best_in_hindsight_and_with_the_selected_heuristic(folder):
    study, cell = Study(folder), (4, 0.7)
    assert study.best(NAME, *cell) == "hra"
    assert study.change(NAME, "es", "hra", cell, "e2e_mean_s") == pytest.approx(-20)
    assert study.headroom(NAME, cell) == pytest.approx(50)
    assert study.headroom(NAME, (8, 0.7)) is None
    text = page(folder)
    title = SETTINGS[NAME].title
    assert f"| {title} | 4 | 0.7 | `hra` | -20.0 (-20.0 to +10.0) | -20.0 | -20.0 |" in text
    assert f"| {title} | 4 | 0.7 | `lmetric` | +100.0 | -50.0 (-50.0) | -60.0 | -60.0 |" in text
    assert f"| {title} | `es` | -80.0 | -80.0 | -80.0 |" in text
    assert "6 of 6 cells, mean -20.0, worst -20.0" in text


def test_every_row_has_as_many_cells_as_its_header(folder):
    widths, header = set(), 0
    for line in page(folder).splitlines():
        if not line.startswith("|"):
            header = 0
            continue
        count = line.count("|")
        header = header or count
        assert count == header, line
        widths.add(count)
    assert len(widths) > 3


def test_it_says_what_was_not_run(folder):
    text = page(folder)
    [missing] = [line for line in text.splitlines() if line.startswith("**Not run here**")]
    assert f"{SETTINGS[NAME].title} (search, 1 of 6)" in missing
    assert f"{SETTINGS[NAME].title} (es)" not in missing
    for name in set(SETTINGS) - {NAME}:
        assert all(f"{SETTINGS[name].title} ({method})" in missing for method in METHODS)


def test_an_empty_folder_makes_a_page_too(tmp_path):
    assert "not run" in page(tmp_path)
