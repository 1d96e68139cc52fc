"""The arrival process as figures: rate, gaps, dispersion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.reporting.facts import BAND, REFERENCE, Key, Plot
from workloadlab.reporting.words import listed, plural, seconds, sentence, share, three

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["arrival_plots"]

INSIDE = 0.98
LEAST_PER_BIN, LEAST_BINS = 5, 25
FIT_POINTS = 100
CLOSE_TO_ONE = (0.9, 1.1)


def arrival_plots(arrivals: dict[str, Any], section: str) -> list[Plot]:
    """Return the figures of the topic `arrivals` of a profile; one that says why there are none."""
    if "unsupported" in arrivals:
        return [
            Plot(id=f"{section}-arrivals", kind="absent", title="Arrivals",
                 reading=sentence(arrivals["unsupported"]))
        ]  # fmt: skip
    return [_rate(arrivals, section), _gaps(arrivals, section), _dispersion(arrivals, section)]


def _rate(arrivals: dict[str, Any], section: str) -> Plot:
    title, plot_id = "Arrival rate over time", f"{section}-rate"
    bin_s, counts = _readable_bins(**arrivals["rate_series"])
    if len(counts) < 2:
        return Plot(
            id=plot_id,
            kind="absent",
            title=title,
            reading=f"The span of {seconds(arrivals['span_s'])} holds no two whole bins.",
        )
    mean = float(counts.mean())
    low, high = _poisson_band(mean)
    outside = float(np.mean((counts < low) | (counts > high)))
    chance = "as a constant rate would give" if outside <= 2 * (1 - INSIDE) else "the rate drifts"
    minutes = arrivals["per_minute"]["complete"] or arrivals["per_minute"]
    busiest = (
        f"The busiest minute has {minutes['max']:,} requests, "
        f"{three(minutes['peak_to_mean'])} times the mean of {three(minutes['mean'])}. "
        if arrivals["span_s"] >= 120
        else ""
    )
    return Plot(
        id=plot_id,
        kind="rate",
        title=title,
        reading=f"{busiest}{share(outside)} of the bins lie outside the band that would hold "
        f"{INSIDE:.0%} of them if arrivals were Poisson at the mean rate: {chance}.",
        definition=f"Requests per bin of {seconds(bin_s)} since the first arrival, over the bin "
        f"width; the unfinished last bin is left out. Band: the {(1 - INSIDE) / 2:.0%} and "
        f"{(1 + INSIDE) / 2:.0%} quantiles of Poisson counts with the mean of the bins.",
        n=f"{plural(arrivals['requests'], 'request')} in {plural(len(counts), 'bin')}",
        data={
            "bin_s": bin_s,
            "rate_rps": (counts / bin_s).tolist(),
            "mean_rps": mean / bin_s,
            "band_rps": [low / bin_s, high / bin_s],
        },
        legend=(Key("requests per second", 0), Key("Poisson at the mean rate, 98% band", BAND)),
    )


def _readable_bins(bin_s: float, counts: list[int]) -> tuple[float, NDArray[np.int64]]:
    """Return the complete bins, merged until they hold a few requests each or would get too few."""
    complete = np.array(counts[:-1], dtype=np.int64)
    merged = 1
    for factor in (2, 5, 10, 20):
        sparse = merged * complete.sum() < LEAST_PER_BIN * len(complete)
        if sparse and len(complete) >= factor * LEAST_BINS:
            merged = factor
    whole = len(complete) // merged * merged
    return bin_s * merged, complete[:whole].reshape(-1, merged).sum(axis=1)


def _poisson_band(mean: float) -> tuple[float, float]:
    """Return the quantiles of a Poisson count that enclose `INSIDE` of it."""
    from scipy.special import pdtr, pdtrik

    def quantile(level: float) -> float:
        k = max(0.0, float(np.ceil(np.nan_to_num(pdtrik(level, mean)))))
        return k - 1 if k >= 1 and pdtr(k - 1, mean) >= level else k

    return quantile((1 - INSIDE) / 2), quantile((1 + INSIDE) / 2)


def _gaps(arrivals: dict[str, Any], section: str) -> Plot:
    gaps = arrivals["iat_s"]
    points = [[gap, above] for gap, above in arrivals["iat_ccdf"] if gap > 0]
    said = f"Half of the gaps are under {seconds(gaps['p50'])}, 1% over {seconds(gaps['p99'])}. "
    if gaps["p50"] == 0:
        said = f"Half of the gaps are 0 and 1% are over {seconds(gaps['p99'])}. "
    windowed = arrivals["windowed_iat_cv"]["60"]["p50"]
    if gaps["sd"] is None:
        said = f"The one gap is {seconds(gaps['mean'])}."
    elif gaps["cv"] is None:
        said += "The clock is too coarse for their variation to mean anything."
    else:
        said += f"Their CV is {three(gaps['cv'])}, {_beside_exponential(gaps['cv'])}"
        if windowed is not None:
            said += f"; inside windows of 60 s, with less time for the rate to change, {three(windowed)}"
        said += "."
    best = _best_fit(arrivals)
    if best:
        said += f" Of the families tried {best['family']} fits best, within {share(best['ks'])}."
    return Plot(
        id=f"{section}-gaps",
        kind="gaps",
        title="Gaps between arrivals",
        reading=said,
        definition="Share of the gaps that are at least as long, both axes logarithmic; gaps of 0 "
        "count but cannot be drawn. Exponential with the same mean, which Poisson arrivals have. "
        "Best family by AIC; within: the largest difference of the shares (Kolmogorov-Smirnov).",
        n=plural(gaps["n"], "gap"),
        data={"points": points, "mean_s": gaps["mean"], "fit": best},
        legend=(
            Key("gaps", 0),
            *([Key(f"{best['family']} fit", 1)] if best else []),
            Key("exponential", REFERENCE),
        ),
    )


def _best_fit(arrivals: dict[str, Any]) -> dict[str, Any] | None:
    """Return the best family that is not the exponential, with a curve of it."""
    from workloadlab.characterization.statistics.families import FAMILIES

    gaps = [gap for gap, _ in arrivals["iat_ccdf"] if gap > 0]
    fits = arrivals["fits"]
    if not isinstance(fits, list) or not fits or fits[0]["family"] == "exponential":
        return None
    best = fits[0]
    family = FAMILIES[best["family"]]
    grid = np.geomspace(gaps[0], gaps[-1], FIT_POINTS)
    above = family.survival(grid, np.array([best["params"][name] for name in family.names]))
    above *= best["rows"] / arrivals["iat_s"]["n"]
    return {
        "family": best["family"].replace("_", " "),
        "ks": best["ks"],
        "points": [[float(f"{gap:.6g}"), float(f"{part:.6g}")]
                   for gap, part in zip(grid, above, strict=True)],
    }  # fmt: skip


def _beside_exponential(cv: float) -> str:
    if cv < CLOSE_TO_ONE[0]:
        return "more regular than exponential gaps (1)"
    return f"{'close to' if cv <= CLOSE_TO_ONE[1] else 'burstier than'} exponential gaps (1)"


def _dispersion(arrivals: dict[str, Any], section: str) -> Plot:
    title, plot_id = "Burstiness by time scale", f"{section}-dispersion"
    values = {float(width): value for width, value in arrivals["dispersion"].items()}
    known = [(width, value) for width, value in values.items() if value is not None]
    left_out = [seconds(width) for width, value in values.items() if value is None]
    if not any(value for _, value in known):
        why = "Every window of one width holds the same count." if known else (
            "No window is both two ticks of the clock wide and half the span at most."
        )  # fmt: skip
        return Plot(id=plot_id, kind="absent", title=title, reading=why)
    (first, at_first), (peak, at_peak) = known[0], max(known, key=lambda point: point[1])
    said = f"Counts per {seconds(first)} vary {three(at_first)} times as much as Poisson's"
    if peak != first:
        said += f", counts per {seconds(peak)} {three(at_peak)} times"
    if at_peak > max(2, 2 * at_first) and peak == known[-1][0]:
        said += ": the longer the window, the more the rate itself changes"
    elif known[-1][1] < 0.67:
        said += ": over longer windows more regular than chance"
    elif at_peak < 1.5:
        said += ": hardly burstier than chance"
    return Plot(
        id=plot_id,
        kind="dispersion",
        title=title,
        reading=f"{said}.",
        definition="Index of dispersion: variance over mean of the counts in complete windows of "
        "one width, n - 1 in the variance; 1 for Poisson arrivals at any width."
        + (f" Left out, under two ticks or over half the span: {listed(left_out)}."
           if left_out else ""),
        n=plural(arrivals["requests"], "request"),
        data={"points": [[width, value] for width, value in known if value > 0]},
        legend=(Key("index of dispersion", 0), Key("Poisson", REFERENCE)),
    )  # fmt: skip
