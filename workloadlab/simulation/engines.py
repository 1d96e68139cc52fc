"""Engines as they ship: the settings of a pool that nobody names, by engine and version."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.latency.hardware.gpus import GIB
from workloadlab.simulation.memory import gpu_named

if TYPE_CHECKING:
    from workloadlab.latency.hardware.gpus import Gpu
    from workloadlab.simulation.pool import Pool

__all__ = ["ENGINES", "ENTRY_POINTS", "Batch", "Engine", "engine_named", "shipped", "version_text"]

Version = tuple[int, int]

ENTRY_POINTS = ("server", "offline")
"""How an engine is run: as an HTTP server, or by its class for offline batches (vLLM's `LLM`)."""


@dataclass(frozen=True)
class Batch:
    """Batch limits on GPUs of one size.

    Attributes:
        least_gib: memory of the GPU from which they hold.
        server_tokens: `max_num_batched_tokens` of the HTTP server.
        offline_tokens: the same of the offline class.
        seqs: `max_num_seqs` of both.
        but_not: part of the names of GPUs for which they do not hold.
    """

    least_gib: float
    server_tokens: int
    offline_tokens: int
    seqs: int
    but_not: str | None = None

    @property
    def words(self) -> str:
        """The limits in a few words."""
        size = f"from {self.least_gib:g} GiB" if self.least_gib else "else"
        size += f" but no {self.but_not}" if self.but_not else ""
        return f"{size} {self.server_tokens:,}/{self.offline_tokens:,} and {self.seqs:,}"

    def holds(self, gpu: Gpu | None) -> bool:
        """Say whether these limits are those of a GPU; without one only the smallest are."""
        if gpu is None:
            return self.least_gib == 0
        named = self.but_not is not None and self.but_not in gpu.name.lower()
        return gpu.memory_bytes >= self.least_gib * GIB and not named


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Defaults of an engine from one version on, until the next row.

    Attributes:
        name: the engine.
        since: its first version with these defaults, such as (0, 19).
        newest: the newest version that this table knows of.
        prefix_caching, async_scheduling, reserve_full_isl, block_size, gpu_memory_utilization: as in
            `Pool`.
        batches: limits by size of the GPU, the largest first.
        source: where they were read.
    """

    name: str
    since: Version
    newest: Version
    prefix_caching: bool
    async_scheduling: bool
    reserve_full_isl: bool
    block_size: int
    gpu_memory_utilization: float
    batches: tuple[Batch, ...]
    source: str

    @property
    def label(self) -> str:
        """Name and first version, such as vllm-0.19."""
        return f"{self.name}-{version_text(self.since)}"

    def batch(self, gpu: Gpu | None) -> Batch:
        """Return the batch limits on a GPU, or where none is known."""
        return next(batch for batch in self.batches if batch.holds(gpu))

    def settings(self, gpu: Gpu | None, entry_point: str) -> dict[str, Any]:
        """Return the values of a pool's attributes, but for the KV blocks.

        Args:
            gpu: the accelerator, None where it is unknown.
            entry_point: one of `ENTRY_POINTS`.

        Example:
            >>> from workloadlab.latency.hardware.gpus import find_gpu
            >>> _, engine = engine_named("vllm-0.19")
            >>> limits = engine.settings(find_gpu("H100"), "server")
            >>> limits["max_num_batched_tokens"], limits["max_num_seqs"]
            (8192, 1024)
        """
        batch = self.batch(gpu)
        tokens = batch.server_tokens if entry_point == "server" else batch.offline_tokens
        return {
            "block_size": self.block_size,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "max_num_seqs": batch.seqs,
            "max_num_batched_tokens": tokens,
            "reserve_full_isl": self.reserve_full_isl,
            "prefix_caching": self.prefix_caching,
            "async_scheduling": self.async_scheduling,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            **asdict(self),
            "since": version_text(self.since),
            "newest": version_text(self.newest),
            "batches": [asdict(batch) for batch in self.batches],
        }


_SMALL = Batch(0, 2048, 8192, 256)
_LARGE = Batch(70, 8192, 16384, 1024, but_not="a100")
_LARGEST = Batch(160, 16384, 16384, 1024)

_VLLM_0_8 = Engine(
    name="vllm",
    since=(0, 8),
    newest=(0, 33),
    prefix_caching=True,
    async_scheduling=False,
    reserve_full_isl=False,
    block_size=16,
    gpu_memory_utilization=0.9,
    batches=(replace(_LARGE, but_not=None), _SMALL),
    source="vLLM 0.8.5, engine/arg_utils.py: V1 caches prefixes; batch limits by memory",
)
_VLLM_0_9 = replace(
    _VLLM_0_8,
    since=(0, 9),
    batches=(_LARGE, _SMALL),
    source="vLLM 0.9.0, engine/arg_utils.py: an A100 takes the small limits (#17885)",
)
_VLLM_0_14 = replace(
    _VLLM_0_9,
    since=(0, 14),
    async_scheduling=True,
    source="vLLM 0.14.0, config/vllm.py: asynchronous scheduling by default (#27614)",
)
_VLLM_0_19 = replace(
    _VLLM_0_14,
    since=(0, 19),
    reserve_full_isl=True,
    source="vLLM 0.19.0, config/scheduler.py: scheduler_reserve_full_isl",
)
_VLLM_0_20 = replace(
    _VLLM_0_19,
    since=(0, 20),
    gpu_memory_utilization=0.92,
    source="vLLM 0.20.0, config/cache.py: 0.92, graphs now count as used memory",
)
_VLLM_0_28 = replace(
    _VLLM_0_20,
    since=(0, 28),
    batches=(_LARGEST, _LARGE, _SMALL),
    source="vLLM 0.28.0, engine/arg_utils.py: larger limits from 160 GiB on",
)

ENGINES: tuple[Engine, ...] = (
    _VLLM_0_8,
    _VLLM_0_9,
    _VLLM_0_14,
    _VLLM_0_19,
    _VLLM_0_20,
    _VLLM_0_28,
)
"""Every row, by name and version. Each was read in the release that it names, and each version between
two rows has the defaults of the first of them."""


def version_text(version: Version) -> str:
    """Write a version.

    Example:
        >>> version_text((0, 19))
        '0.19'
    """
    return ".".join(map(str, version))


def engine_named(label: str) -> tuple[str, Engine]:
    """Return an engine by name and version, and the name that says both.

    Without a version it is the newest known; a patch level, such as that of 0.19.1, does not matter.

    Example:
        >>> label, engine = engine_named("vllm-0.15.1")
        >>> label, engine.since, engine.async_scheduling
        ('vllm-0.15', (0, 14), True)
        >>> engine_named("vllm")[0]
        'vllm-0.33'

    Raises:
        UsageError: an unknown engine or version; the message names the nearest.
    """
    name, _, words = label.strip().lower().partition("-")
    rows = [row for row in ENGINES if row.name == name]
    if not rows:
        known = ", ".join(dict.fromkeys(row.name for row in ENGINES))
        raise UsageError(
            f"unknown engine {label!r}",
            fix=f"use {known} or a version of it; workloadlab cluster --list-engines shows all",
        )
    oldest, newest = rows[0].since, rows[0].newest
    numbers = re.match(r"v?(\d+)\.(\d+)", words)
    if words and not numbers:
        raise UsageError(
            f"engine {label!r} has no version", fix=f"write {name}-{version_text(newest)}"
        )
    version = (int(numbers[1]), int(numbers[2])) if numbers else newest
    if not oldest <= version <= newest:
        nearest = oldest if version < oldest else newest
        raise UsageError(
            f"no defaults are known of {name} {words}: it is "
            f"{'older' if version < oldest else 'newer'} than {version_text(nearest)}",
            fix=f"use {name}-{version_text(nearest)}, the nearest",
        )
    return f"{name}-{version_text(version)}", next(
        row for row in rows[::-1] if row.since <= version
    )


def shipped(pool: Pool) -> dict[str, Any]:
    """Return what the engine of a pool decides of the attributes that the pool leaves out.

    Where only the token budget is given, the engine takes no more sequences than that.

    Raises:
        UsageError: an unknown engine or version.
    """
    label, engine = engine_named(pool.engine)
    values = engine.settings(gpu_named(pool.latency.gpu), pool.entry_point)
    budget: int | None = pool.max_num_batched_tokens
    if isinstance(budget, int):
        values["max_num_seqs"] = min(values["max_num_seqs"], max(budget, 1))
    left_out = {name: value for name, value in values.items() if getattr(pool, name) is None}
    return {**left_out, "engine": label}
