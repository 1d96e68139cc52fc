"""A cluster: pools of identical instances, each with a latency model and engine limits."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import LatencyModel

__all__ = ["DEFAULT_STEP_OVERHEAD_S", "Cluster", "Pool"]

DEFAULT_STEP_OVERHEAD_S = 0.001
"""CPU time per step outside the kernels: scheduling, input preparation, sampling, detokenization."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Identical instances.

    Attributes:
        name: names the instances: `name/0`, `name/1`, ...
        instances: how many.
        latency: step-time model; a catalogue name or path is loaded.
        kv_blocks: KV-cache blocks per instance; None for as many as ever needed.
        block_size: tokens per block.
        max_num_seqs: most sequences in a batch.
        max_num_batched_tokens: token budget of a step.
        reserve_full_isl: admit a request only if blocks for its whole prompt are free, not only for its
            first chunk (vLLM's `scheduler_reserve_full_isl`).
        watermark: share of the blocks that an admission must leave free.
        prefix_caching: keep the KV blocks of prefixes that end, and reuse them by block id; blocks
            are those of the trace, so its block size must be a multiple of `block_size`.
        step_overhead_s: CPU time per step outside the kernels, added to the model's time; left out it is
            1 ms, or 0 for a model that was fitted on whole steps and so holds it already.
        async_scheduling: prepare the next step while one runs, so that a step takes the longer of the
            model's time and the overhead instead of their sum.
        models: served models, by the trace's `model`; empty for any.

    Raises:
        UsageError: a value that no engine could run with.
    """

    name: str = "pool"
    instances: int = 1
    latency: LatencyModel
    kv_blocks: int | None = None
    block_size: int = 16
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    reserve_full_isl: bool = True
    watermark: float = 0.0
    prefix_caching: bool = False
    step_overhead_s: float = None  # type: ignore[assignment]  # known after __post_init__
    async_scheduling: bool = False
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.latency, str | Path):
            object.__setattr__(self, "latency", LatencyModel.load(self.latency))
        if not isinstance(self.latency, LatencyModel):
            raise UsageError(
                f"pool {self.name!r}: latency is a {type(self.latency).__name__}",
                fix="give a LatencyModel, a catalogue name or the path of a model JSON",
            )
        for key in ("instances", "kv_blocks", "block_size", "max_num_seqs",
                    "max_num_batched_tokens"):  # fmt: skip
            value = getattr(self, key)
            if key == "kv_blocks" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(
                    f"pool {self.name!r}: {key} = {value!r}", fix="use a whole number of at least 1"
                )
        for key in ("reserve_full_isl", "prefix_caching", "async_scheduling"):
            if not isinstance(getattr(self, key), bool):
                raise UsageError(
                    f"pool {self.name!r}: {key} = {getattr(self, key)!r}", fix="use true or false"
                )
        if not isinstance(self.watermark, int | float) or not 0 <= self.watermark < 1:
            raise UsageError(
                f"pool {self.name!r}: watermark = {self.watermark!r}", fix="use 0 to 1"
            )
        models: Any = self.models
        if isinstance(models, str) or not all(isinstance(name, str) for name in models):
            raise UsageError(f"pool {self.name!r}: models = {models!r}", fix="list model names")
        object.__setattr__(self, "models", tuple(models))
        asked: float | None = self.step_overhead_s
        if asked is None:
            whole = self.latency.system.get("includes_step_overhead", False)
            object.__setattr__(self, "step_overhead_s", 0.0 if whole else DEFAULT_STEP_OVERHEAD_S)
        overhead = self.step_overhead_s
        if not isinstance(overhead, int | float) or not 0 <= overhead < 60:
            raise UsageError(
                f"pool {self.name!r}: step_overhead_s = {overhead!r}", fix="use seconds, 0 to 60"
            )

    def in_blocks_of(self, tokens: int) -> Pool:
        """Return the pool with KV blocks of `tokens` tokens and as much memory, rounded down.

        Raises:
            UsageError: `tokens` is not a multiple of the pool's block size, or no block is left.
        """
        if tokens % self.block_size:
            raise UsageError(
                f"pool {self.name!r} caches prefixes in blocks of {self.block_size} tokens, the trace "
                f"names blocks of {tokens}",
                fix=f"set block_size to a divisor of {tokens}",
            )
        each = tokens // self.block_size
        blocks = None if self.kv_blocks is None else self.kv_blocks // each
        return replace(self, block_size=tokens, kv_blocks=blocks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the latency model by its name."""
        return {
            **{key.name: getattr(self, key.name) for key in fields(self)},
            "latency": self.latency.name,
            "models": list(self.models),
        }


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a router chooses among.

    Attributes:
        pools: one or more pools; instances are numbered through them in order.
        signal_interval_s: age of engine-reported signals: they are snapshots taken every so many
            seconds, 0 for always fresh. The router's own counters are never stale.
        request_overhead_s: time of a request outside queue and engine: network, tokenization and the
            routing decision. It passes before the decision and counts in every latency.

    Example:
        >>> model = LatencyModel.linear(constant_s=0.01)
        >>> Cluster.uniform(2, model, max_num_seqs=8).instance_names
        ['pool/0', 'pool/1']
    """

    pools: tuple[Pool, ...]
    signal_interval_s: float = 0.0
    request_overhead_s: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pools", tuple(self.pools))
        if not self.pools:
            raise UsageError("the cluster has no pool", fix="add a [[pool]] with a latency model")
        names = [pool.name for pool in self.pools]
        if len(set(names)) < len(names):
            raise UsageError(f"two pools share a name among {names}", fix="name each pool")
        for key in ("signal_interval_s", "request_overhead_s"):
            value = getattr(self, key)
            if not isinstance(value, int | float) or not 0 <= value < 1e6:
                raise UsageError(f"{key} = {value!r}", fix="use seconds, 0 for none")

    @classmethod
    def uniform(
        cls,
        instances: int,
        latency: LatencyModel | str | Path,
        *,
        signal_interval_s: float = 0.0,
        request_overhead_s: float = 0.0,
        **pool: Any,
    ) -> Cluster:
        """Make a cluster of one pool.

        Args:
            instances: how many.
            latency: the model, its catalogue name or its path.
            signal_interval_s: see the class.
            request_overhead_s: see the class.
            **pool: further attributes of `Pool`.
        """
        try:
            made = Pool(instances=instances, latency=latency, **pool)  # type: ignore[arg-type]
        except TypeError as error:
            known = ", ".join(key.name for key in fields(Pool))
            raise UsageError(
                str(error).rpartition(") ")[2] or str(error), fix=f"use {known}"
            ) from None
        return cls(
            pools=(made,),
            signal_interval_s=signal_interval_s,
            request_overhead_s=request_overhead_s,
        )

    @classmethod
    def load(cls, path: str | Path) -> Cluster:
        """Read a cluster file (TOML); a relative `latency` path starts at the file's folder.

        Raises:
            UsageError: no such file.
            DataError: not TOML, an unknown key, or a value out of range; names the place.
        """
        path = Path(path)
        if not path.is_file():
            raise UsageError("no such cluster file", where=str(path), fix="check the path")
        try:
            facts = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"is not TOML: {error}", where=str(path)) from error
        tables = facts.pop("pool", [])
        _refuse_unknown(facts, {"signal_interval_s", "request_overhead_s"}, str(path))
        if not isinstance(tables, list) or not tables:
            raise DataError("has no [[pool]]", where=str(path), fix="add one with a latency model")
        try:
            pools = tuple(_pool(t, number, path) for number, t in enumerate(tables))
            return cls(pools=pools, **facts)
        except UsageError as error:
            raise DataError(error.what, where=error.where or str(path), fix=error.fix) from error

    @property
    def instance_names(self) -> list[str]:
        """Names by instance index."""
        return [f"{pool.name}/{i}" for pool in self.pools for i in range(pool.instances)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "signal_interval_s": self.signal_interval_s,
            "request_overhead_s": self.request_overhead_s,
            "pool": [pool.to_dict() for pool in self.pools],
        }


def _refuse_unknown(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise DataError(
            f"unknown key {unknown[0]!r}",
            where=where,
            fix=f"known keys: {', '.join(sorted(known))}",
        )


def _pool(table: Any, number: int, path: Path) -> Pool:
    where = f"{path}, pool {number + 1}"
    if not isinstance(table, dict):
        raise DataError("is not a table", where=where, fix="write [[pool]]")
    _refuse_unknown(table, {key.name for key in fields(Pool)}, where)
    if "latency" not in table:
        raise DataError("has no latency", where=where, fix="name a catalogue model or a model JSON")
    latency = table["latency"]
    beside = path.parent / str(latency)
    try:
        return Pool(
            **{
                "name": f"pool{number}" if number else "pool",
                **table,
                "latency": LatencyModel.load(beside if beside.is_file() else latency),
            }
        )
    except UsageError as error:
        raise DataError(error.what, where=where, fix=error.fix) from error
