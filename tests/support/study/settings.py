"""What learned routers are tried on: traces, each with the cluster that serves it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

import workloadlab as wl
from support.servegen import drawn_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["SETTINGS", "Setting"]


@dataclass(frozen=True)
class Setting:
    """One trace on one cluster.

    Attributes:
        title: what the page calls it.
        trace: reads it from the folder of shared data.
        cluster: with so many instances.
    """

    title: str
    trace: Callable[[Path], wl.Trace]
    cluster: Callable[[int], wl.Cluster]


def _pool(gpu: str, instances: int) -> wl.Pool:
    model = wl.LatencyModel.load(f"{gpu}-llama-3.1-8b")
    return wl.Pool(name=gpu, instances=instances, latency=model)


def _one_kind(instances: int) -> wl.Cluster:
    return wl.Cluster(pools=(_pool("h100", instances),))


def _two_kinds(instances: int) -> wl.Cluster:
    return wl.Cluster(pools=(_pool("h100", instances // 2), _pool("a100", instances // 2)))


def _azure(service: str, data: Path) -> wl.Trace:
    return wl.ingest(data / "azure" / f"AzureLLMInferenceTrace_{service}.csv")


def _mooncake(data: Path) -> wl.Trace:
    return wl.ingest(data / "mooncake" / "conversation_trace.jsonl.gz")


def _two_classes(data: Path) -> wl.Trace:
    """Both Azure services at once, as they were logged over the same hour."""
    rows = [
        _azure(name, data)
        .read("arrival_ns", "input_tokens", "output_tokens")
        .with_columns(slo_class=pl.lit(name))
        for name in ("conv", "code")
    ]
    return wl.Trace.from_frame(pl.concat(rows).sort("arrival_ns"))


def _servegen(data: Path) -> wl.Trace:
    """16,000 requests from noon of the third day on."""
    return drawn_trace(data / "servegen" / "language__m-large", (2 * 24 + 12) * 3600, 16_000)


_CONV, _CODE = partial(_azure, "conv"), partial(_azure, "code")

SETTINGS = {
    "conv-two-kinds": Setting("Azure conv, H100 and A100", _CONV, _two_kinds),
    "mooncake-two-kinds": Setting("Mooncake, H100 and A100", _mooncake, _two_kinds),
    "two-classes": Setting("Azure conv and code, two classes", _two_classes, _one_kind),
    "code": Setting("Azure code", _CODE, _one_kind),
    "conv": Setting("Azure conv", _CONV, _one_kind),
    "servegen": Setting("ServeGen m-large, drawn", _servegen, _one_kind),
    "mooncake": Setting("Mooncake", _mooncake, _one_kind),
}
"""By name, the first two first: there is the most to gain."""
