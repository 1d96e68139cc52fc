"""Every object shows itself in a notebook, in one screen, and figures come one by one."""

from __future__ import annotations

import re

import pytest

import workloadlab as wl
from workloadlab.errors import UnsupportedError, UsageError

MODEL = wl.LatencyModel.linear(constant_s=0.02, prefill_token_s=1e-4, name="<by hand>")


@pytest.fixture(scope="module")
def shown():
    """One object of each kind."""
    trace = wl.Trace.of(
        [(0.1 * k + 0.01 * (k % 3), 10 + 7 * k % 90, 5 + k % 11) for k in range(300)]
    )
    cluster = wl.Cluster.uniform(2, MODEL, max_num_seqs=8)
    runs = wl.replay(trace, cluster)
    return {
        "Trace": trace,
        "Profile": wl.characterize(trace),
        "LatencyModel": MODEL,
        "Cluster": cluster,
        "Runs": runs,
        "Scoreboard": wl.score(runs),
        "Router": wl.router("weighted"),
        "Plan": wl.plan(trace, cluster, slo="e2e=60", routers="round_robin", growth=[]),
    }


KINDS = ["Trace", "Profile", "LatencyModel", "Cluster", "Runs", "Scoreboard", "Router", "Plan"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_one_screen_with_a_figure(shown, kind):
    html = shown[kind]._repr_html_()
    assert len(html) < 60_000
    assert html.count("<tr") <= 20
    assert html.count("<div") == html.count("</div>")
    assert "<by hand>" not in html
    figures = html.count('<svg class="plot"')
    assert figures <= 2
    assert figures or kind in ("Router", "Plan")
    drawn = set(re.findall(r"var\(--([\w-]+)\)", html))
    assert drawn <= set(re.findall(r"--([\w-]+):", html)), "a colour has no value"


@pytest.mark.parametrize("trace", [[], [(0, 10, None)]], ids=["empty", "one request"])
def test_a_small_trace_shows_itself_too(trace):
    assert "Trace" in wl.Trace.of(trace)._repr_html_()


def test_plots_are_figures_that_show_themselves(shown):
    trace = shown["Trace"]
    figure = trace.plot.arrivals()
    assert type(figure).__mro__[1].__name__ == "Figure"
    png = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000
    assert figure._repr_png_() == png
    assert trace.plot.lengths("output")._suptitle.get_text() != figure._suptitle.get_text()
    assert "arrivals" in dir(trace.plot)


def test_a_plot_that_cannot_be_is_refused(shown):
    plot = shown["Trace"].plot
    with pytest.raises(AttributeError, match="did you mean arrivals"):
        plot.arivals()
    with pytest.raises(UnsupportedError, match="sessions"):
        plot.sessions()
    with pytest.raises(UsageError, match="has no figure"):
        plot.arrivals("nothing")


def test_an_error_in_a_notebook_is_a_sentence():
    with pytest.raises(UsageError) as caught:
        wl.Trace.open("none.trace")
    [line] = caught.value._render_traceback_()
    assert line.startswith("UsageError: none.trace")
    assert "Traceback" not in line
