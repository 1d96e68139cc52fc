"""Ordinals of ids, and words that are read once each, against ones that are found row by row."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.ingestion.evaluate import evaluate
from workloadlab.ingestion.formats.format import Column
from workloadlab.ingestion.formats.words import choose, only
from workloadlab.ingestion.numbers import Numbers
from workloadlab.ingestion.parsing import values
from workloadlab.ingestion.second_pass import _numbered

SOME = st.sampled_from(["true", "false", " OK", "cancelled", "499", "null", "no such word", ""])

WORDS = {
    "outcome": Column("outcome", "key"),
    "streaming": Column("streaming", only(choose("key", {"ok": "yes"}), "key", "ok", "true")),
    "task": Column("task", choose("key", {"ok": "chat", None: "none"})),
    "output_tokens": Column("output_tokens", only("key", "key", "499")),
}


@pytest.mark.parametrize("target", WORDS)
@given(st.lists(st.none() | SOME, min_size=1, max_size=30))
def test_words_that_are_read_once_each_are_those_of_every_row(
    target: str, words: list[str | None]
) -> None:
    many = pl.Series("key", words * (1 + 10 * values.SPREAD // len(words)))
    each = evaluate(many.to_frame(), WORDS[target])
    alone = [evaluate(many[[row]].to_frame(), WORDS[target]) for row in range(len(words))]
    assert each.values.head(len(words)).to_list() == [found.values[0] for found in alone]
    problems = each.problem if each.problem is not None else pl.Series([None] * many.len())
    assert problems.head(len(words)).to_list() == [
        None if found.problem is None else found.problem[0] for found in alone
    ]


def twin(ids: list[str | None]) -> tuple[list[str | None], list[bool | None]]:
    numbers: dict[str, int] = {}
    ordinals: list[str | None] = []
    again: list[bool | None] = []
    for name in ids:
        if name is None:
            ordinals.append(None)
            again.append(None)
            continue
        again.append(name in numbers)
        ordinals.append(f"r{numbers.setdefault(name, len(numbers))}")
    return ordinals, again


@given(
    st.lists(st.none() | st.text("ab", max_size=3), min_size=1)
    | st.lists(st.text("abcdef"), min_size=1, unique=True)
)
def test_ids_are_numbered_in_the_order_in_which_they_appear(ids: list[str | None]) -> None:
    rows = pl.LazyFrame({"request_id": pl.Series(ids, dtype=pl.String)}).with_row_index(
        "__position"
    )
    frame, ordinal, again = _numbered(rows, rows, "request_id", "r", Numbers())
    found = frame.select(ordinal=ordinal, again=again).collect()
    ordinals, repeats = twin(ids)
    assert found["ordinal"].to_list() == ordinals
    assert found["again"].fill_null(value=False).to_list() == [bool(each) for each in repeats]
