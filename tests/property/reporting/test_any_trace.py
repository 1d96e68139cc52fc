"""Whatever the trace, its report can be written: sentences, JSON and drawings."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from workloadlab import Trace, characterize
from workloadlab.reporting.figures import draw
from workloadlab.reporting.summary import summary_of

requests = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 10), st.integers(0, 10**6), st.integers(0, 10**15)),
        st.one_of(st.integers(0, 3), st.integers(0, 10**9)),
        st.one_of(st.none(), st.integers(0, 3), st.integers(0, 10**9)),
    ),
    max_size=40,
)


@settings(max_examples=12, deadline=None)
@given(rows=requests)
def test_any_trace_can_be_reported(rows):
    columns = {"arrival_ns": pl.Int64, "input_tokens": pl.UInt32, "output_tokens": pl.UInt32}
    trace = Trace.from_frame(pl.DataFrame(rows, schema=columns, orient="row"))
    summary = summary_of(characterize(trace))
    json.dumps(summary.to_dict(), allow_nan=False)
    for plot in summary.sections[0].plots:
        assert plot.reading.endswith(".")
        drawing = draw(plot)
        if plot.to_dict()["kind"] != "absent":
            ET.fromstring(drawing.replace("<svg ", '<svg xmlns:xlink="x" ', 1))
            assert "nan" not in drawing
