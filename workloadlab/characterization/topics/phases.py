"""Costs of the requests in prefill and decode, under a latency model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns
from workloadlab.characterization.statistics.measures import Spread, occupied_bins, spread_of
from workloadlab.characterization.statistics.phase_times import DECODE_BATCH, kv_bytes_per_token
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from workloadlab.characterization.statistics.phase_times import PhaseTimes
    from workloadlab.characterization.study import Study
    from workloadlab.trace import Trace

__all__ = ["PHASES", "PhaseClass", "Phases", "TenantCost", "measure_phases"]

HEAVY_PREFILL_S = 0.5
HEAVY_DECODE_S = 5.0
MINUTE_NS = 60_000_000_000
LISTED = 20
GIB = 1 << 30


@dataclass(frozen=True)
class PhaseClass:
    """Requests of one class: first letter prefill, second decode, H from 0.5 s and 5 s on."""

    name: str
    requests: int
    share: float
    engine_share: float


@dataclass(frozen=True)
class TenantCost:
    """Costs of one tenant's requests."""

    tenant: str
    requests: int
    gpu_s: float
    gpu_share: float
    prefill_share: float


@dataclass(frozen=True)
class Phases:
    """Costs under a latency model, without cached prefixes and without queueing.

    Attributes:
        model, gpu, tp: whose times these are; tp GPUs work for one instance.
        decode_batch: requests that are taken to decode together.
        prefill_s, decode_s: latency of each phase per request.
        gpu_s: GPU-seconds per request.
        gpu_s_total: their sum.
        prefill_time_share: prefill / engine time; the rest is decode.
        prefill_latency_share: sum of prefill_s / sum of both latencies.
        compute_bound_share: prefill beyond what steps of one token take, as a share of engine time;
            what is left reads weights and caches: memory-bound.
        kv_token_s: sum over requests of tokens in the cache x seconds.
        mean_kv_tokens: kv_token_s / span; mean_kv_gib the same in memory, for a known model.
        offered_load: engine seconds / span: instances that are busy on average.
        peak_offered_load: the same over the busiest complete minute of arrivals.
        least_instances: offered_load rounded up; larger batches than decode_batch take fewer.
        classes: LL, LH, HL, HH.
        by_tenant: the 20 most expensive tenants.
        outside_domain_share: prompts that the model was not fitted for.
    """

    model: str
    gpu: str
    tp: int
    decode_batch: int
    requests: int
    prefill_s: Spread
    decode_s: Spread
    gpu_s: Spread
    gpu_s_total: float
    prefill_time_share: float | None
    prefill_latency_share: float | None
    compute_bound_share: float | None
    kv_token_s: float
    mean_kv_tokens: float | None
    mean_kv_gib: float | None
    offered_load: float | None
    peak_offered_load: float | None
    least_instances: int | None
    classes: tuple[PhaseClass, ...]
    by_tenant: tuple[TenantCost, ...]
    outside_domain_share: float

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        rows: list[list[Cell]] = [
            [name, s.mean, s.p50, s.p90, s.p99, s.max]
            for name, s in (
                ("prefill, s", self.prefill_s),
                ("decode, s", self.decode_s),
                ("cost, GPU-s", self.gpu_s),
            )
        ]
        load: list[list[Cell]] = [
            [
                self.model,
                self.offered_load,
                self.peak_offered_load,
                self.least_instances,
                self.prefill_time_share,
                self.compute_bound_share,
                self.mean_kv_tokens,
            ]
        ]
        header = [
            "instances busy", "mean", "peak minute", "whole", "prefill share", "compute-bound",
            "KV tokens",
        ]  # fmt: skip
        classes: list[list[Cell]] = [
            [c.name, c.requests, c.share, c.engine_share] for c in self.classes
        ]
        return [
            Table(f"Phases on {self.gpu}", ["", "mean", "p50", "p90", "p99", "max"], rows),
            Table("Demand", header, load),
            Table("Classes", ["prefill, decode", "requests", "share", "of engine time"], classes),
        ]


_NO_MODEL = Unsupported("needs a latency model: characterize(trace, model), --model")


def _unmodelled(_: Collection[str], modelled: bool) -> Unsupported | None:
    return None if modelled else _NO_MODEL


def measure_phases(study: Study) -> Phases | Unsupported:
    """Measure phase costs; without a latency model there are none."""
    model, times = study.model, study.phase_times
    if model is None or times is None:
        return _NO_MODEL
    if isinstance(times, Unsupported):
        return times
    engine, kv = float(times.engine_s.sum()), times.kv_token_s()
    prefill, decode = float(times.prefill_s.sum()), float(times.decode_s.sum())
    span_s = int(times.arrival_ns[-1] - times.arrival_ns[0]) / 1e9
    bytes_per_token = kv_bytes_per_token(model)
    load = engine / span_s if span_s else None
    mean_kv = kv / span_s if span_s else None
    nothing = Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return Phases(
        model=model.name,
        gpu=model.gpu,
        tp=model.tp,
        decode_batch=DECODE_BATCH,
        requests=len(times.engine_s),
        prefill_s=spread_of(times.prefill_s) or nothing,
        decode_s=spread_of(times.decode_s) or nothing,
        gpu_s=spread_of(times.engine_s * model.tp) or nothing,
        gpu_s_total=engine * model.tp,
        prefill_time_share=prefill / engine if engine else None,
        prefill_latency_share=prefill / (prefill + decode) if prefill + decode else None,
        compute_bound_share=float(times.compute_s.sum()) / engine if engine else None,
        kv_token_s=kv,
        mean_kv_tokens=mean_kv,
        mean_kv_gib=mean_kv * bytes_per_token / GIB
        if mean_kv is not None and bytes_per_token
        else None,
        offered_load=load,
        peak_offered_load=_peak_load(times),
        least_instances=None if load is None else max(1, math.ceil(load)),
        classes=_classes(times, engine),
        by_tenant=_by_tenant(study.trace, times, model.tp),
        outside_domain_share=int(np.count_nonzero(times.outside)) / len(times.outside),
    )


def _peak_load(times: PhaseTimes) -> float | None:
    since = times.arrival_ns - times.arrival_ns[0]
    complete = int(since[-1]) // MINUTE_NS
    if not complete:
        return None
    bins, counts = occupied_bins(since, MINUTE_NS)
    sums = np.add.reduceat(times.engine_s, np.cumsum(counts) - counts)
    return float(sums[bins < complete].max()) / 60


def _classes(times: PhaseTimes, engine: float) -> tuple[PhaseClass, ...]:
    codes = 2 * (times.prefill_s >= HEAVY_PREFILL_S) + (times.decode_s >= HEAVY_DECODE_S)
    counts = np.bincount(codes, minlength=4).tolist()
    costs = np.bincount(codes, weights=times.engine_s, minlength=4).tolist()
    return tuple(
        PhaseClass(name, n, n / len(codes), cost / engine if engine else 0.0)
        for name, n, cost in zip(("LL", "LH", "HL", "HH"), counts, costs, strict=True)
    )


def _by_tenant(trace: Trace, times: PhaseTimes, tp: int) -> tuple[TenantCost, ...]:
    if not trace.has("tenant_id"):
        return ()
    rows = read_columns(trace, "tenant_id", "output_tokens").filter(
        pl.col("output_tokens").is_not_null()
    )
    costs = (
        pl.DataFrame(
            {"tenant": rows["tenant_id"], "engine": times.engine_s, "prefill": times.prefill_s}
        )
        .filter(pl.col("tenant").is_not_null())
        .sort("tenant", maintain_order=True)
    )
    parties = [
        (str(part["tenant"][0]), len(part), part["engine"].to_numpy(), part["prefill"].to_numpy())
        for part in costs.partition_by("tenant", maintain_order=True)
    ]
    total = float(times.engine_s.sum())
    found = [
        TenantCost(
            tenant=name,
            requests=n,
            gpu_s=float(engine.sum()) * tp,
            gpu_share=float(engine.sum()) / total if total else 0.0,
            prefill_share=float(prefill.sum() / engine.sum()) if engine.sum() else 0.0,
        )
        for name, n, engine, prefill in parties
    ]
    return tuple(sorted(found, key=lambda cost: (-cost.gpu_s, cost.tenant))[:LISTED])


PHASES = Topic(
    name="phases",
    about="costs of prefill and decode, under a latency model",
    needs=("output_tokens",),
    facts=Phases,
    measure=measure_phases,
    unmodelled=_unmodelled,
)
