"""The profile as a file, as text and as HTML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from workloadlab import Profile, Trace, characterize
from workloadlab.errors import DataError, UsageError
from workloadlab.trace import Provenance

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def profile() -> Profile:
    n = 400
    frame = pl.DataFrame(
        {
            "arrival_ns": [i * i * 7_000_001 for i in range(n)],
            "input_tokens": [10 + i * 37 % 500 for i in range(n)],
            "output_tokens": [1 + i * 11 % 90 for i in range(n)],
        }
    )
    provenance = Provenance(reader="<script>alert(1)</script>", sources=[{"path": "a.csv"}])
    return characterize(Trace.from_frame(frame, provenance=provenance))


def test_saved_and_loaded_it_is_the_same(profile: Profile, tmp_path: Path) -> None:
    path = profile.save(tmp_path / "p.json")
    assert Profile.load(path) == profile
    first = path.read_bytes()
    assert Profile.load(path).save(path).read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_contract_keys(profile: Profile) -> None:
    facts = json.loads(profile.to_json())
    assert facts["schema_version"] == 1
    assert {"schema_version", "trace", "integrity", "arrivals", "lengths"} <= set(facts)
    assert {"requests", "span_s", "rate_rps", "source"} <= set(facts["trace"])
    for finding in facts["integrity"]["findings"]:
        assert {"code", "severity", "message"} <= set(finding)
    arrivals, lengths = facts["arrivals"], facts["lengths"]
    assert {"mean", "p50", "p90", "p99", "max", "sd", "cv"} <= set(arrivals["iat_s"])
    assert list(arrivals["windowed_iat_cv"]) == ["60", "600"]
    assert set(arrivals["windowed_iat_cv"]["60"]) == {"p50", "mean", "max", "windows"}
    assert list(arrivals["dispersion"]) == ["0.1", "1", "10", "60", "300", "3600"]
    assert {"min", "mean", "max", "peak_to_mean"} <= set(arrivals["per_minute"])
    assert sum(arrivals["rate_series"]["counts"]) == 400
    quantiles = {"p25", "p50", "p75", "p90", "p95", "p99"}
    shares = {"gini", "top1_token_share", "top10_token_share"}
    for column in ("input", "output"):
        assert quantiles | shares | {"n", "sum", "mean", "sd", "max"} <= set(lengths[column])
    correlations = {"pearson", "spearman", "kendall", "pearson_log"}
    assert correlations | {"input_output_ratio"} <= set(lengths["joint"])


def test_series_are_what_they_say(profile: Profile) -> None:
    density = profile.lengths.joint.density
    assert sum(map(sum, density.counts)) == 400
    assert len(density.counts) == len(density.input_edges) - 1
    assert {len(row) for row in density.counts} == {len(density.output_edges) - 1}
    assert density.input_edges[0] <= profile.lengths.input.min
    assert density.input_edges[-1] > profile.lengths.input.max
    tokens, shares = zip(*profile.lengths.input.cdf, strict=True)
    assert len(tokens) <= 200
    assert (tokens[0], tokens[-1], shares[-1]) == (10, profile.lengths.input.max, 1.0)
    assert list(shares) == sorted(shares)
    gaps, survivors = zip(*profile.arrivals.iat_ccdf, strict=True)
    assert len(gaps) <= 200
    assert survivors[0] == 1.0
    assert list(survivors) == sorted(survivors, reverse=True)
    assert gaps[-1] == profile.arrivals.iat_s.max
    assert survivors[-1] == pytest.approx(1 / 399)


def test_text_names_what_people_look_for(profile: Profile) -> None:
    text = str(profile)
    assert repr(profile) == text
    for words in ("400 requests over", "Requests per minute", "p99", "Dispersion", "input"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 120


def test_html_is_escaped(profile: Profile) -> None:
    html = profile._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<div") == html.count("</div>")


def test_large_traces_state_the_rows_of_kendall() -> None:
    n = 60_000
    i = pl.int_range(n, eager=True)
    frame = pl.DataFrame({"arrival_ns": i * 1_000_003, "input_tokens": i, "output_tokens": i // 2})
    joint = characterize(Trace.from_frame(frame)).lengths.joint
    assert joint.kendall_rows == 50_000
    assert joint.kendall == pytest.approx(1.0, abs=1e-4)


def test_a_topic_from_a_later_version_is_unsupported_in_an_older_file(profile: Profile) -> None:
    facts = profile.to_dict()
    del facts["lengths"]
    facts["unheard_of"] = {}
    assert "before the topic existed" in Profile.from_dict(facts).lengths.unsupported
    facts["integrity"].pop("findings")
    with pytest.raises(DataError, match="damaged profile"):
        Profile.from_dict(facts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "is not a profile"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1, "trace": 3}', "damaged profile"),
    ],
)
def test_files_that_are_no_profile(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        Profile.load(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        Profile.load(tmp_path / "absent.json")


def test_a_saved_trace_has_the_same_profile_to_the_byte(tmp_path: Path) -> None:
    n = 5000
    frame = pl.DataFrame(
        {
            "arrival_ns": [i * i * 7_001 for i in range(n)],
            "input_tokens": [10 + i * 37 % 500 for i in range(n)],
            "output_tokens": [None if i % 7 == 0 else i % 90 for i in range(n)],
        }
    )
    trace = Trace.from_frame(frame)
    saved = trace.save(tmp_path / "x.trace")
    assert characterize(saved).to_json() == characterize(trace).to_json()
