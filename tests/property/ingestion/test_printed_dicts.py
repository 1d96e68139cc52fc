"""A cell that holds a dict as Python prints it is read as the same dict in JSON."""

from __future__ import annotations

import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.ingestion.readers.chunk import inside

MARKS = st.sampled_from("ab {}[]:,'\"\\\nN")
TEXTS = st.text(MARKS | st.characters(codec="utf-8", exclude_characters="\0"))
WORDS = st.sampled_from(
    ["None", ", None,", "True or False", "it's", 'say "x"', "a: None", "[True]"]
)
VALUES = st.none() | st.booleans() | st.integers(-9, 10**12) | TEXTS | WORDS
INNER = st.dictionaries(st.sampled_from(["m", "k"]), VALUES)
DICTS = st.fixed_dictionaries({"n": VALUES, "in": INNER}, optional={"x": VALUES})


@given(st.lists(DICTS, min_size=1, max_size=8))
def test_a_printed_dict_is_read_as_its_json(rows: list[dict[str, object]]) -> None:
    cells = pl.DataFrame({"json": [json.dumps(r) for r in rows], "python": [repr(r) for r in rows]})
    for key in ("n", "in.m", "in.k", "x", "none"):
        read = cells.select(inside(pl.col(name), key).alias(name) for name in cells.columns)
        assert read["python"].to_list() == read["json"].to_list(), key
