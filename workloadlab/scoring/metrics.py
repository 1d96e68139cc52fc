"""Every metric of the scoreboard, in the order of its columns.

JSON, frame, tables, the report, `score --list-metrics` and their tests read this list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.scoring.balance import balance
from workloadlab.scoring.fairness import jain, tenant_means
from workloadlab.scoring.metric import Context, LatencySummary, Metric, Value, summarize
from workloadlab.statistics import finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["HEADLINES", "METRICS", "metric_named", "run_metrics"]

HEADLINES = ("ttft_s", "e2e_s")
"""The latencies that a short answer names."""


def run_metrics(timings: Timings, context: Context) -> dict[str, Value]:
    """Return the value of every metric of one run, by name."""
    return {metric.name: metric.compute(timings, context) for metric in METRICS}


def metric_named(name: str) -> Metric:
    """Return a metric of the list.

    Example:
        >>> metric_named("goodput_rps").better
        'higher'
    """
    return next(metric for metric in METRICS if metric.name == name)


def _requests(timings: Timings, _: Context) -> int:
    return len(timings)


def _served(timings: Timings, _: Context) -> int:
    return int(timings.served.sum())


def _makespan_s(timings: Timings, _: Context) -> float | None:
    return timings.makespan_s


def _per_second(count: int | None, timings: Timings) -> float | None:
    makespan_s = timings.makespan_s
    return count / makespan_s if makespan_s and count is not None else None


def _throughput_rps(timings: Timings, context: Context) -> float | None:
    return _per_second(_served(timings, context), timings)


def _output_tokens_per_s(timings: Timings, _: Context) -> float | None:
    return _per_second(int(timings.output_tokens[timings.served].sum()), timings)


def _met(timings: Timings, context: Context) -> int | None:
    targets = context.slo
    return int(targets.met(timings).sum()) if targets and targets.to_dict() else None


def _met_or_not(timings: Timings, context: Context) -> NDArray[np.float64] | None:
    targets = context.slo
    return targets.met(timings).astype(np.float64) if targets and targets.to_dict() else None


def _met_per_second(timings: Timings, context: Context) -> NDArray[np.float64] | None:
    met, makespan_s = _met_or_not(timings, context), timings.makespan_s
    return met * (len(met) / makespan_s) if met is not None and makespan_s else None


def _slo_attainment(timings: Timings, context: Context) -> float | None:
    met = _met(timings, context)
    return met / len(timings) if met is not None and len(timings) else None


def _goodput_rps(timings: Timings, context: Context) -> float | None:
    return _per_second(_met(timings, context), timings)


def _cache_hit_ratio(timings: Timings, _: Context) -> float | None:
    return timings.cache_hit_ratio()


def _preemptions(timings: Timings, _: Context) -> int:
    return int(timings.preemptions.sum())


def _load_cv(timings: Timings, context: Context) -> float | None:
    placed = timings.served & (timings.instance >= 0)
    load = np.bincount(
        timings.instance[placed],
        weights=timings.total_tokens[placed],
        minlength=max(context.instances or 0, len(timings.instances)),
    )
    return finite(load.std() / load.mean()) if len(load) and load.sum() else None


def _itl_s(timings: Timings, _: Context) -> LatencySummary:
    return summarize(timings.itl_s)


def _in_flight_cv(timings: Timings, context: Context) -> float | None:
    return balance(timings, context.instances)


def _block_copies(timings: Timings, _: Context) -> float | None:
    return timings.copies


def _tenant_fairness(timings: Timings, _: Context) -> float | None:
    return jain(tenant_means(timings, timings.ttft_s, fewest=1))


def _worst_tenant_ttft_s(timings: Timings, _: Context) -> float | None:
    means = tenant_means(timings, timings.ttft_s)
    return float(means.max()) if len(means) else None


def _worst_tenant_met(timings: Timings, context: Context) -> float | None:
    met = _met_or_not(timings, context)
    means = tenant_means(timings, met) if met is not None else np.zeros(0)
    return float(means.min()) if len(means) else None


def _gpu_seconds(timings: Timings, context: Context) -> float | None:
    makespan_s = timings.makespan_s
    return context.rent.gpus * makespan_s if context.rent and makespan_s else None


def _usd_per_mtok(timings: Timings, context: Context) -> float | None:
    return _per_mtok(timings, context.rent.usd_per_hour if context.rent else None)


def _kwh_per_mtok(timings: Timings, context: Context) -> float | None:
    return _per_mtok(timings, context.rent.kilowatts if context.rent else None)


def _per_mtok(timings: Timings, per_hour: float | None) -> float | None:
    makespan_s = timings.makespan_s
    tokens = int(timings.output_tokens[timings.served].sum())
    return (
        per_hour * makespan_s / 3600 / tokens * 1e6 if per_hour and makespan_s and tokens else None
    )


def _latency(name: str, about: str, **shown: Any) -> Metric:
    """Return the metric that summarizes one latency of `Timings`."""

    def values(timings: Timings, _: Context) -> NDArray[np.float64]:
        found: NDArray[np.float64] = getattr(timings, name)
        return found

    def compute(timings: Timings, context: Context) -> LatencySummary:
        return summarize(values(timings, context))

    return Metric(
        name=name, unit="s", better="lower", about=about, compute=compute, values=values, **shown
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        name="requests", unit="requests", better=None, label="requests",
        about="Requests of the run, warm-up left out.",
        compute=_requests, reported=False,
    ),
    Metric(
        name="served", unit="requests", better="higher", label="served",
        about="Requests that ended well.",
        compute=_served, reported=False,
    ),
    Metric(
        name="makespan_s", unit="s", better=None, label="makespan",
        about="First arrival to last end, or to the last arrival where that came later.",
        compute=_makespan_s, reported=False,
    ),
    Metric(
        name="throughput_rps", unit="requests/s", better=None, noun="throughput", label="requests/s",
        about="Requests that ended well, over the makespan.",
        compute=_throughput_rps, printed=("",),
    ),
    Metric(
        name="output_tokens_per_s", unit="tokens/s", better=None, label="tokens/s",
        noun="rate of generated tokens",
        about="Output tokens of the requests that ended well, over the makespan.",
        compute=_output_tokens_per_s,
    ),
    _latency(
        "ttft_s", "Time to first token, from arrival.",
        label="TTFT", noun="TTFT", parts=("mean", "p50", "p99"), printed=("mean", "p99"),
        paired=("mean", "p99"),
    ),
    _latency(
        "tpot_s",
        "Time per output token after the first: (e2e - TTFT) / (output tokens - 1).",
        label="TPOT", noun="TPOT", parts=("mean", "p50", "p99"), printed=("p99",),
        paired=("mean", "p99"),
    ),
    _latency(
        "e2e_s", "Arrival to last token.",
        label="End to end", noun="end-to-end latency", parts=("mean", "p50", "p99"),
        printed=("p99",), paired=("mean", "p99"),
    ),
    Metric(
        name="itl_s", unit="s", better="lower", label="ITL", noun="inter-token latency",
        about="Time between successive tokens, over all tokens after the first; of logs that record "
        "when each came.",
        compute=_itl_s, parts=("mean", "p50", "p99"),
    ),
    _latency(
        "queue_s", "Arrival until an engine first schedules the request.",
        label="Queue", parts=("mean",), reported=False,
    ),
    Metric(
        name="slo_attainment", unit="share", better="higher", label="SLO met",
        about="Requests that meet every target, of all.",
        compute=_slo_attainment, values=_met_or_not, paired=("",), printed=("",),
        noun="share within the SLO", needs_slo=True,
    ),
    Metric(
        name="goodput_rps", unit="requests/s", better="higher", label="goodput/s",
        about="Requests that meet every target, over the makespan.",
        compute=_goodput_rps, values=_met_per_second, paired=("",), printed=("",),
        noun="goodput", needs_slo=True,
    ),
    Metric(
        name="cache_hit_ratio", unit="share", better="higher", noun="cache hit ratio", label="cache hit",
        about="Prompt tokens found in a cache, of all prompt tokens.",
        compute=_cache_hit_ratio,
    ),
    Metric(
        name="preemptions", unit="preemptions", better="lower", label="preempted", noun="preemptions",
        about="How often a running request was put back to make room.",
        compute=_preemptions,
    ),
    Metric(
        name="load_cv", unit="1", better=None, label="load CV",
        about="Standard deviation over mean, n below the sum, of the tokens (input and output) that "
        "each instance served; an idle instance served 0.",
        compute=_load_cv,
    ),
    Metric(
        name="in_flight_cv", unit="1", better="lower", label="balance CV",
        about="Standard deviation over mean, n below the sum, of the requests in flight on each "
        "instance, averaged over the time from the first arrival to the last.",
        compute=_in_flight_cv, reported=False,
    ),
    Metric(
        name="block_copies", unit="1", better="lower", label="copies",
        about="Instances that met a prompt block, on average over the blocks: 1 where each prefix "
        "stays on one instance.",
        compute=_block_copies,
    ),
    Metric(
        name="tenant_fairness", unit="1", better="higher", label="fairness",
        about="Jain's index over the tenants' mean TTFT: 1 if all wait alike, 1 / tenants if one "
        "alone waits.",
        compute=_tenant_fairness,
    ),
    Metric(
        name="worst_tenant_ttft_s", unit="s", better="lower", label="worst tenant, s",
        about="Mean TTFT of the tenant that waits longest, of tenants with 30 requests or more.",
        compute=_worst_tenant_ttft_s, noun="worst tenant's mean TTFT",
    ),
    Metric(
        name="worst_tenant_met", unit="share", better="higher", label="worst tenant met",
        about="Least share of a tenant's requests that meet every target, of tenants with 30 "
        "requests or more.",
        compute=_worst_tenant_met, noun="worst tenant's share within the SLO", needs_slo=True,
    ),
    Metric(
        name="gpu_seconds", unit="GPU s", better=None, label="GPU s",
        about="GPUs of the cluster times the makespan.",
        compute=_gpu_seconds, reported=False,
    ),
    Metric(
        name="usd_per_mtok", unit="$", better="lower", label="$/M tokens",
        about="Rent of the cluster's GPUs over the makespan, by million output tokens.",
        compute=_usd_per_mtok,
    ),
    Metric(
        name="kwh_per_mtok", unit="kWh", better="lower", label="kWh/M tokens",
        about="Energy of the cluster's GPUs at their power under load, by million output tokens.",
        compute=_kwh_per_mtok,
    ),
)  # fmt: skip
