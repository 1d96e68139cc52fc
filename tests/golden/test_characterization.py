"""Published traces against figures computed independently from the same files."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

import workloadlab as wl
from workloadlab import Profile, Trace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data


def read_azure(shared_data: Path, name: str) -> Trace:
    rows = pl.read_csv(shared_data / "azure" / f"AzureLLMInferenceTrace_{name}.csv")
    stamp = rows["TIMESTAMP"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns")
    arrival = stamp.cast(pl.Int64)
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": arrival - arrival.min(),
                "input_tokens": rows["ContextTokens"],
                "output_tokens": rows["GeneratedTokens"],
            }
        )
    )


@pytest.fixture(scope="module")
def conv(shared_data: Path) -> Profile:
    return wl.characterize(read_azure(shared_data, "conv"))


@pytest.fixture(scope="module")
def code(shared_data: Path) -> Profile:
    return wl.characterize(read_azure(shared_data, "code"))


@pytest.fixture(scope="module")
def mooncake(shared_data: Path) -> Profile:
    with gzip.open(shared_data / "mooncake" / "conversation_trace.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return wl.characterize(
        Trace.from_frame(
            pl.DataFrame(
                {
                    "arrival_ns": [row["timestamp"] * 1_000_000 for row in rows],
                    "input_tokens": [row["input_length"] for row in rows],
                    "output_tokens": [row["output_length"] for row in rows],
                }
            )
        )
    )


def codes(profile: Profile) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for finding in profile.to_dict()["integrity"]["findings"]:
        found.setdefault(finding["code"], []).append(finding)
    return found


def printed(value: float, text: str) -> bool:
    """Whether `value` rounds to the digits of `text`."""
    decimals = len(text.partition(".")[2])
    return f"{value:.{decimals}f}" == text


def lookup(profile: Profile, path: str) -> float:
    value = profile.to_dict()
    for key in path.split("/"):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("trace/requests", 19_366),
        ("arrivals/requests", 19_366),
        ("lengths/input/n", 19_366),
        ("lengths/input/sum", 22_361_870),
        ("lengths/output/sum", 4_088_665),
        ("lengths/input/p50", 1020),
        ("lengths/input/p90", 2734.5),
        ("lengths/input/p95", 4083),
        ("lengths/input/p99", 4142),
        ("lengths/input/max", 14_050),
        ("lengths/output/p25", 85),
        ("lengths/output/p50", 129),
        ("lengths/output/p75", 395),
        ("lengths/output/p90", 424),
        ("lengths/output/p99", 601),
        ("lengths/output/max", 1000),
        ("lengths/input/most_frequent/value", 181),
        ("lengths/input/most_frequent/count", 419),
        ("lengths/output/most_frequent/value", 396),
        ("lengths/output/most_frequent/count", 425),
        ("arrivals/per_minute/min", 37),
        ("arrivals/per_minute/max", 507),
        ("arrivals/rates/1/max", 16),
        ("arrivals/windowed_iat_cv/60/windows", 59),
    ],
)
def test_conv_counts_are_exact(conv: Profile, path: str, expected: float) -> None:
    assert lookup(conv, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("trace/span_s", 3501.721937),
        ("arrivals/iat_s/mean", 0.1808273657),
        ("arrivals/iat_s/p50", 0.118424),
        ("arrivals/iat_s/max", 4.314579),
        ("arrivals/iat_s/cv", 1.0941982),
        ("arrivals/rate_rps", 5.5304220),
        ("lengths/joint/input_output_ratio", 22_361_870 / 4_088_665),
    ],
)
def test_conv_figures_to_a_millionth(conv: Profile, path: str, expected: float) -> None:
    assert lookup(conv, path) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("lengths/input/mean", "1154.697"),
        ("lengths/input/sd", "1108.823"),
        ("lengths/output/mean", "211.126"),
        ("lengths/output/sd", "162.870"),
        ("lengths/input/gini", "0.4576"),
        ("lengths/output/gini", "0.4128"),
        ("lengths/input/top1_token_share", "0.0434"),
        ("lengths/output/top1_token_share", "0.0335"),
        ("lengths/joint/pearson", "-0.11235"),
        ("lengths/joint/spearman", "0.07275"),
        ("lengths/joint/kendall", "0.0541"),
        ("lengths/joint/pearson_log", "0.08749"),
        ("arrivals/per_minute/mean", "328.24"),
        ("arrivals/per_minute/peak_to_mean", "1.545"),
        ("arrivals/windowed_iat_cv/60/p50", "1.0259"),
        ("arrivals/windowed_iat_cv/60/mean", "1.0322"),
        ("arrivals/windowed_iat_cv/60/max", "1.4724"),
        ("arrivals/dispersion/0.1", "1.059"),
        ("arrivals/dispersion/1", "1.386"),
        ("arrivals/dispersion/10", "3.868"),
        ("arrivals/dispersion/60", "16.411"),
        ("arrivals/dispersion/300", "61.705"),
        ("arrivals/count_acf/1/0", "0.2197"),
        ("arrivals/rates/1/zero_share", "0.0109"),
        ("arrivals/hurst", "0.676"),
    ],
)
def test_conv_figures_to_the_printed_digit(conv: Profile, path: str, text: str) -> None:
    assert printed(lookup(conv, path), text)


def test_conv_gaps_fitted(conv: Profile) -> None:
    fits = {fit.family: fit for fit in conv.arrivals.fits}
    assert conv.arrivals.fits[0].family == "gamma"
    assert printed(fits["gamma"].params["shape"], "0.87097")
    assert printed(fits["gamma"].params["scale"], "0.20762")
    assert printed(fits["gamma"].ks, "0.0169")
    assert printed(fits["weibull"].params["shape"], "0.92157")
    assert fits["weibull"].params["scale"] == pytest.approx(0.17419, rel=1e-4)
    assert printed(fits["weibull"].ks, "0.0166")
    assert printed(fits["exponential"].ks, "0.0217")
    assert fits["exponential"].bootstrap_p > 0.05
    assert fits["lognormal"].bootstrap_p < 0.05


def test_conv_lengths_fitted(conv: Profile) -> None:
    for column, mu, sigma, ks in (
        (conv.lengths.input, "6.6333", "0.9852", "0.1594"),
        (conv.lengths.output, "5.0190", "0.8590", "0.1821"),
    ):
        fits = {fit.family: fit for fit in column.fits}
        assert column.limit is None
        assert printed(fits["lognormal"].params["mu"], mu)
        assert printed(fits["lognormal"].params["sigma"], sigma)
        assert printed(fits["lognormal"].ks, ks)
    outputs = {fit.family: fit for fit in conv.lengths.output.fits}
    assert printed(outputs["exponential"].ks, "0.158")


def test_code_inputs_are_fitted_as_censored(code: Profile) -> None:
    column = code.lengths.input
    assert column.limit == 7434
    assert {fit.censored_at for fit in column.fits} == {7434}
    assert column.hill.censored == 337
    assert column.hill.alpha is None or column.hill.alpha < 5


def test_conv_is_nearly_poisson_net_of_its_rate(conv: Profile) -> None:
    rescaled = conv.arrivals.time_rescaled["60"]
    assert rescaled.ks < conv.arrivals.fits[0].ks
    assert rescaled.cv == pytest.approx(1.03, abs=0.02)
    assert conv.arrivals.time_rescaled["3600"] is None


@pytest.mark.parametrize(
    ("column", "ks", "wasserstein", "psi"),
    [
        ("input_tokens", "0.0826", "184.69", "0.1372"),
        ("output_tokens", "0.0822", "27.47", "0.0917"),
    ],
)
def test_conv_halves_drift(conv: Profile, column: str, ks: str, wasserstein: str, psi: str) -> None:
    drift = conv.drift.halves[column]
    assert printed(drift.ks, ks)
    assert printed(drift.wasserstein, wasserstein)
    assert printed(drift.psi, psi)
    assert drift.floor.ks < drift.ks


def test_conv_keeps_littles_law(shared_data: Path) -> None:
    trace = read_azure(shared_data, "conv")
    timed = trace.frame.with_columns(
        e2e_ns=200_000_000 + 25_000_000 * pl.col("output_tokens").cast(pl.Int64)
    )
    little = wl.characterize(Trace(timed, trace.provenance)).concurrency.little
    assert printed(little.l, "30.296")
    assert printed(little.lambda_w, "30.296")
    assert little.relative_error < 1e-12


def test_conv_raises_no_alarm(conv: Profile) -> None:
    assert [finding.severity for finding in conv.integrity.findings] == ["info"]
    assert conv.integrity.tick_s == 1e-6
    assert conv.integrity.tie_share == 0


def test_code_inputs_are_capped_and_its_log_has_holes(code: Profile) -> None:
    found = codes(code)
    (cap,) = found["length_cap"]
    assert cap["column"] == "input_tokens"
    assert (cap["lowest"], cap["value"], cap["rows"]) == (7434, 7437, 337)
    assert cap["share"] == pytest.approx(337 / 8819, rel=1e-12)
    assert found["holes"][0]["longest_s"] == pytest.approx(217.168952, rel=1e-9)
    assert "clock_tick" not in found
    assert printed(code.arrivals.iat_s.cv, "13.15")
    assert printed(code.arrivals.windowed_iat_cv["60"].p50, "3.27")


def test_mooncake_clock_is_found_and_what_it_hides_is_withheld(mooncake: Profile) -> None:
    (tick,) = codes(mooncake)["clock_tick"]
    assert tick["severity"] == "warning"
    assert tick["tick_s"] == pytest.approx(3.0, abs=0.001)
    assert printed(tick["tie_share"], "0.9020")
    assert tick["distinct"] == 1180
    assert printed(tick["recorded_iat_cv"], "3.0339")
    arrivals = mooncake.arrivals
    assert arrivals.iat_s.cv is None
    assert arrivals.dispersion["0.1"] is None
    assert arrivals.dispersion["1"] is None
    assert arrivals.dispersion["10"] is not None
    assert {window.p50 for window in arrivals.windowed_iat_cv.values()} == {None}
    assert arrivals.rate_series.bin_s >= 6.0


def test_mooncake_lengths(mooncake: Profile) -> None:
    inputs, outputs = mooncake.lengths.input, mooncake.lengths.output
    assert printed(inputs.mean, "12035.061")
    assert printed(outputs.mean, "342.619")
    assert (inputs.p50, inputs.p90, inputs.max) == (6909, 27_367, 126_195)
    assert printed(inputs.p99, "85400.4")
    assert (outputs.p50, outputs.p90, outputs.max) == (350, 597, 2000)
    assert outputs.p99 == pytest.approx(1118.5, rel=1e-12)
    assert printed(mooncake.lengths.joint.spearman, "0.0717")
