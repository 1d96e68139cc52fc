"""A profile's facts: the sentences, numbers and curves that its section shows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.traces import requests_at

from workloadlab import Trace, characterize
from workloadlab.reporting import summarise
from workloadlab.reporting.workload.lengths.column import token_weighted
from workloadlab.trace import Provenance

SECOND = 1_000_000_000


def trace_of(arrival_s, inputs, outputs=None, **provenance):
    return requests_at(
        arrival_s,
        input_tokens=inputs,
        output_tokens=outputs,
        provenance=Provenance(reader="csv", **provenance),
    )


def section_of(trace):
    return summarise(characterize(trace))["sections"][0]


def plots_of(section):
    return {plot["id"].removeprefix("workload-1-"): plot for plot in section["plots"]}


@pytest.fixture(scope="module")
def steady():
    """600 requests, one a second; a third of the prompts 10, 20 and 90 tokens."""
    return section_of(trace_of(range(600), [10, 20, 90] * 200, [4] * 600))


def test_summary_and_facts(steady):
    facts = dict(steady["facts"])
    assert facts["Requests"] == "600"
    assert facts["Span"] == "9 min 59 s"
    assert facts["Prompt tokens"] == "24,000"
    assert "The median request has 20 prompt tokens and 4 generated tokens." in steady["summary"]
    assert "Counts per 60 s vary less than chance would have it." in steady["summary"]


def test_rate_says_the_busiest_minute_and_stays_in_the_band(steady):
    rate = plots_of(steady)["rate"]
    assert rate["reading"].startswith("The busiest minute has 60 requests, 1 times the mean of 60.")
    assert "0% of the bins lie outside" in rate["reading"]
    assert "as a constant rate would give" in rate["reading"]
    low, high = rate["data"]["band_rps"]
    assert low < rate["data"]["mean_rps"] < high


def test_sparse_bins_are_merged_until_they_hold_a_few_requests():
    section = section_of(trace_of(np.arange(0, 40_000, 100.0), [5] * 400))
    rate = plots_of(section)["rate"]
    assert rate["data"]["bin_s"] > 100
    assert sum(rate["data"]["rate_rps"]) * rate["data"]["bin_s"] == pytest.approx(400, abs=20)


def test_gaps_and_dispersion_of_a_metronome(steady):
    plots = plots_of(steady)
    assert "more regular than exponential gaps (1)" in plots["gaps"]["reading"]
    assert plots["gaps"]["data"] == {"points": [[1.0, 1.0]], "mean_s": 1.0, "fit": None}
    assert plots["dispersion"]["reading"].endswith(
        ": over longer windows more regular than chance."
    )


def test_lengths_say_median_tail_and_tokens(steady):
    prompts = plots_of(steady)["input"]
    assert prompts["reading"] == (
        "Half of the prompts have at most 20 tokens; the longest 1%, from 90 tokens on, carry 2.2% of "
        "all prompt tokens. Half of the tokens are in prompts of about 90 or longer."
    )
    assert prompts["n"] == "600 requests"
    assert [tokens for tokens, _ in prompts["data"]["requests"]] == [10, 20, 90]


def test_token_weights_equal_the_exact_ones_where_the_curve_has_every_value():
    values = np.repeat([1, 2, 3, 4, 5], [5, 1, 3, 9, 2])
    cdf = [[int(v), float(np.mean(values <= v))] for v in range(1, 6)]
    exact = [[v, values[values <= v].sum() / values.sum()] for v in range(1, 6)]
    assert np.allclose(token_weighted(cdf), exact)


def test_token_weights_of_a_thinned_curve_are_close():
    values = np.sort(np.random.default_rng(3).lognormal(6, 1, 20_000).astype(int))
    section = section_of(trace_of(range(len(values)), values.tolist()))
    curve = plots_of(section)["input"]["data"]["tokens"]
    exact = [values[values <= tokens].sum() / values.sum() for tokens, _ in curve]
    assert np.allclose([part for _, part in curve], exact, atol=0.006)


def test_lengths_that_go_together_are_called_so():
    upward = section_of(trace_of(range(50), range(1, 51), range(1, 51)))
    downward = section_of(trace_of(range(50), range(1, 51), range(51, 1, -1)))
    assert "says much about its output's (Spearman 1.00)" in plots_of(upward)["joint"]["reading"]
    assert "says much about its output's, and inversely" in plots_of(downward)["joint"]["reading"]


def test_the_best_family_is_drawn_beside_the_exponential():
    gaps = np.random.default_rng(5).weibull(0.6, 3000)
    plot = plots_of(section_of(trace_of(np.cumsum(gaps), [5] * 3000)))["gaps"]
    assert "Of the families tried weibull fits best" in plot["reading"]
    assert [key["label"] for key in plot["legend"]] == ["gaps", "weibull fit", "exponential"]
    gap, above = np.array(plot["data"]["fit"]["points"])[50]
    assert above == pytest.approx(np.mean(gaps >= gap), abs=0.03)


def test_conditional_quantiles_are_those_of_the_profile():
    inputs, outputs = list(range(1, 201)), [10] * 100 + [90] * 100
    plot = plots_of(section_of(trace_of(range(200), inputs, outputs)))["joint"]
    assert "from 10 tokens for the shortest prompts to 90 for the longest" in plot["reading"]
    assert [plot["data"]["bands"][end]["p50"] for end in (0, -1)] == [10, 90]


def test_what_is_not_recorded_shows_the_reason():
    plots = plots_of(section_of(trace_of([0, 1, 5], [10, 20, 30])))
    assert plots["output"]["kind"] == plots["joint"]["kind"] == "absent"
    assert plots["output"]["reading"] == "No request records output_tokens."


def test_topics_without_a_figure_say_why_they_are_missing():
    profile = characterize(trace_of([0, 1, 5], [10, 20, 30]))
    missing = [
        name.replace("_", " ").capitalize()
        for name, topic in profile.to_dict().items()
        if isinstance(topic, dict) and "unsupported" in topic
    ]
    section = summarise(profile)["sections"][0]
    assert [topic for topic, _ in section["unsupported"]] == missing
    assert all(reason.endswith(".") for _, reason in section["unsupported"])


def test_one_request_has_no_arrival_process():
    plots = plots_of(section_of(trace_of([3], [10])))
    assert plots["arrivals"]["reading"] == "One request has no gap to another."
    assert "rate" not in plots


def test_an_empty_trace_is_reported_with_its_reasons():
    section = section_of(trace_of([], []))
    assert {plot["kind"] for plot in section["plots"]} == {"absent"}
    assert section["findings"][0]["severity"] == "warning"


def test_source_names_and_first_arrival_come_from_the_provenance():
    sources = [{"path": "/logs/of/someone/chat.csv", "rows": 3}]
    trace = trace_of([0, 1, 5], [1, 2, 3], sources=sources, t0_unix_ns=1_700_158_546 * SECOND)
    section = section_of(trace)
    assert section["title"] == "Workload: chat.csv"
    assert dict(section["facts"])["File"] == "chat.csv, 3 rows"
    assert dict(section["facts"])["First arrival"] == "2023-11-16 18:15:46 UTC"


def test_findings_come_first_by_severity():
    arrivals = np.repeat(np.arange(40) * 3.0, 5)
    facts = summarise(characterize(trace_of(arrivals, [10] * 200)))
    severities = [finding["severity"] for finding in facts["findings"]]
    assert severities == sorted(severities, reverse=True)
    assert facts["findings"][0]["message"].startswith("Arrivals lie on a clock of 3")


@pytest.mark.data
def test_the_published_azure_sample(shared_data):
    frame = pl.read_csv(shared_data / "azure" / "AzureLLMInferenceTrace_conv.csv")
    stamps = frame["TIMESTAMP"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns")
    stamps = stamps.dt.timestamp("ns")
    trace = Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": stamps - stamps.min(),
                "input_tokens": frame["ContextTokens"],
                "output_tokens": frame["GeneratedTokens"],
            }
        )
    )
    plots = plots_of(section_of(trace))
    assert "at most 1,020 tokens" in plots["input"]["reading"]
    assert "carry 4.3% of all prompt tokens" in plots["input"]["reading"]
    assert plots["rate"]["reading"].startswith("The busiest minute has 507 requests, 1.52 times")
    assert "Their CV is 1.09, close to exponential gaps (1)" in plots["gaps"]["reading"]
    assert "next to nothing about its output's (Spearman 0.07)" in plots["joint"]["reading"]
    assert "5.47 tokens for each one generated" in plots["joint"]["reading"]
    assert plots["dispersion"]["data"]["points"][-1] == pytest.approx([300, 61.705], abs=0.001)
