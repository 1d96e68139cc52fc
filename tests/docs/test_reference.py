"""The reference is what the registries say today."""

from __future__ import annotations

from pathlib import Path

from workloadlab.handbook.pages import pages
from workloadlab.handbook.situations import SITUATIONS
from workloadlab.routing import SHELF
from workloadlab.trace.schema import ABOUT, COLUMNS

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def test_the_committed_pages_are_fresh():
    made = pages()
    assert {path.name for path in REFERENCE.iterdir()} == set(made)
    stale = [name for name, text in made.items() if (REFERENCE / name).read_text() != text]
    assert stale == [], "run `make docs`"


def test_every_column_has_a_meaning():
    assert list(ABOUT) == list(COLUMNS)


def test_the_routers_to_try_first_exist():
    assert [name for _, names, _ in SITUATIONS for name in names if name not in SHELF] == []


def test_every_page_says_something_of_every_row():
    assert [name for name, text in pages().items() if "|  |  |  |" in text] == []
