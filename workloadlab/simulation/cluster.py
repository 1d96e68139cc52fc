"""A cluster: pools of instances, and the router's side of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked, file_path, members
from workloadlab.display import Drawn
from workloadlab.errors import DataError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.latency import LatencyModel
from workloadlab.latency.envelope import ends
from workloadlab.simulation.event import Entry, Event, event_queue
from workloadlab.simulation.log_facts import settings_of
from workloadlab.simulation.pool import DEFAULT_STEP_OVERHEAD_S, UNLIMITED, Pool
from workloadlab.toml_files import read_table
from workloadlab.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import AnyTrace

__all__ = ["DEFAULT_STEP_OVERHEAD_S", "Cluster", "Event", "Pool"]

STANDARD_BATCH = (32, 32_768)
"""Sequences and context tokens of the decode step by which pools are compared."""

MOST_INSTANCES = 10_000
MOST_PATH = 1000

_SECONDS = ("signal_interval_s", "signal_delay_s", "decision_overhead_s", "request_overhead_s")
_ROUTER_KEYS = (*_SECONDS, "max_router_queue", "replicas")


@checked
@dataclass(frozen=True, kw_only=True)
class Cluster(Drawn):
    """What a router chooses among.

    Attributes:
        pools: one or more pools; instances are numbered through them in order.
        signal_interval_s: age of engine-reported signals: they are snapshots taken every so many
            seconds, 0 for always fresh. The router's own counters are never stale.
        signal_delay_s: how long a snapshot travels before the router sees it.
        decision_overhead_s: time that the router takes for a decision; it decides on one request after
            the other, each replica for itself, so this bounds its rate.
        request_overhead_s: time of a request outside queue, router and engine: network, tokenization,
            detokenization. It passes before the decision and counts in every latency.
        max_router_queue: most requests that may wait in the router's own queue, deferred or because
            every instance is at its `max_in_flight`; later ones are rejected. None for no limit.
        replicas: of the router. Each has a queue, a memory, a prefix index and counters of its own and
            sees only what it sent itself; reports reach all. A request comes to any of them with equal
            probability.
        events: what happens to instances at given seconds: see `Event`.

    Example:
        >>> model = LatencyModel.linear(constant_s=0.01)
        >>> Cluster.uniform(2, model, max_num_seqs=8).instance_names
        ['pool/0', 'pool/1']
    """

    pools: tuple[Pool, ...]
    signal_interval_s: float = 0.0
    signal_delay_s: float = 0.0
    decision_overhead_s: float = 0.0
    request_overhead_s: float = 0.0
    max_router_queue: int | None = None
    replicas: int = 1
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pools", tuple(members("pools", self.pools, Pool)))
        if not self.pools:
            raise UsageError("the cluster has no pool", fix="add a [[pool]] with a latency model")
        names = [pool.name for pool in self.pools]
        if len(set(names)) < len(names):
            raise UsageError(f"two pools share a name among {names}", fix="name each pool")
        instances = sum(pool.instances for pool in self.pools)
        if instances > MOST_INSTANCES:
            raise UsageError(
                f"the cluster has {instances:,} instances; a replay takes {MOST_INSTANCES:,}",
                fix="replay a part of the traffic on a part of the cluster",
            )
        for key in _SECONDS:
            value = getattr(self, key)
            if not isinstance(value, int | float) or not 0 <= value < 1e6:
                raise UsageError(f"{key} = {value!r}", fix="use seconds, 0 for none")
        if self.signal_delay_s > 0 and self.signal_interval_s == 0:
            raise UsageError(
                f"signal_delay_s = {self.signal_delay_s!r} without signal_interval_s",
                fix="say how often the engines report",
            )
        most = self.max_router_queue
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
            raise UsageError(f"max_router_queue = {most!r}", fix="use a whole number, 0 or more")
        replicas = self.replicas
        if not isinstance(replicas, int) or isinstance(replicas, bool) or not 1 <= replicas <= 1000:
            raise UsageError(f"replicas = {replicas!r}", fix="use a whole number, 1 to 1000")
        object.__setattr__(self, "events", tuple(members("events", self.events, Event)))
        event_queue(self.events, self.pools)

    @classmethod
    def uniform(
        cls,
        instances: int,
        latency: LatencyModel | str | Path,
        **options: Any,
    ) -> Cluster:
        """Make a cluster of one pool.

        Args:
            instances: how many.
            latency: the model, its catalogue name or its path.
            **options: further attributes of `Pool` and of `Cluster`.

        Raises:
            UsageError: an attribute that neither has, or a value out of range.
        """
        own = {key: options.pop(key) for key in (*_ROUTER_KEYS, "events") if key in options}
        known = [key.name for key in fields(Pool)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise UsageError(
                f"unknown option {unknown[0]!r}",
                fix=did_you_mean(unknown[0], [*known, *_ROUTER_KEYS]),
            )
        return cls(pools=(Pool(instances=instances, latency=latency, **options),), **own)  # type: ignore[arg-type]

    @classmethod
    def from_trace(
        cls, trace: AnyTrace, latency: LatencyModel | str | Path, **options: Any
    ) -> Cluster:
        """Make the cluster that served a log, as far as the log knows it.

        What its provenance records of the engine holds; the rest is what that engine ships with.

        Args:
            trace: an ingested log or its path; `trace.provenance.system` has the facts.
            latency: the model of its GPU, its catalogue name or its path.
            **options: attributes of `Pool` and of `Cluster` that win over both.

        Raises:
            UsageError: an engine or version whose defaults are not known, or facts that cannot be
                together.

        Example:
            >>> from workloadlab.trace import Provenance, Trace
            >>> facts = {"engine": "vllm", "engine_version": "0.13.0", "max_num_seqs": 128}
            >>> log = Trace(Trace.of([(0, 10, 5)]).frame, Provenance(reader="log", system=facts))
            >>> [pool] = Cluster.from_trace(log, LatencyModel.linear(constant_s=0.01)).pools
            >>> pool.engine, pool.max_num_seqs, pool.async_scheduling
            ('vllm-0.13', 128, False)
        """
        settings = {"instances": 1, **settings_of(Trace.open(trace)), **options}
        return cls.uniform(settings.pop("instances"), latency, **settings)

    @classmethod
    def load(cls, path: Cluster | str | Path) -> Cluster:
        """Read a cluster file (TOML); a relative `latency` path starts at the file's folder.

        A cluster is returned as it is.

        Raises:
            UsageError: no such file.
            DataError: not TOML, an unknown key, or a value out of range; names the place.
        """
        if isinstance(path, Cluster):
            return path
        path = file_path("cluster", path, else_="a Cluster")
        if str(path) in LatencyModel.catalog() and not path.exists():
            raise UsageError(
                "names a latency model, and a cluster is wanted",
                where=str(path),
                fix=f"wl.Cluster.uniform(4, {str(path)!r}), or on the command line --latency {path}",
            )
        facts = read_table(path, "cluster file")
        _refuse_unknown(facts, {*_ROUTER_KEYS, "pool", "event"}, str(path))
        tables = facts.pop("pool", [])
        happenings = facts.pop("event", [])
        if not isinstance(happenings, list):
            raise DataError("has an event that is no table", where=str(path), fix="write [[event]]")
        if not isinstance(tables, list) or not tables:
            raise DataError("has no [[pool]]", where=str(path), fix="add one with a latency model")
        try:
            pools = tuple(_pool(t, number, path) for number, t in enumerate(tables))
            events = tuple(_event(t, number, path) for number, t in enumerate(happenings))
            return cls(pools=pools, events=events, **facts)
        except UsageError as error:
            raise DataError(error.what, where=error.where or str(path), fix=error.fix) from error

    @property
    def most_held(self) -> int:
        """Most requests in the router's queue, a very large number where there is no limit."""
        return UNLIMITED if self.max_router_queue is None else self.max_router_queue

    @property
    def instance_names(self) -> list[str]:
        """Names by instance index."""
        return [f"{pool.name}/{i}" for pool in self.pools for i in range(pool.instances)]

    @property
    def event_queue(self) -> list[Entry]:
        """The events by instance index, in the order in which they happen."""
        return event_queue(self.events, self.pools)

    @cached_property
    def relative_speeds(self) -> list[float]:
        """By pool, time of a standard decode step on the fastest / on this one: 1.0 for the fastest."""
        steps_s = [pool.decode_step_s(*STANDARD_BATCH) for pool in self.pools]
        return [min(steps_s) / step_s if step_s > 0 else 1.0 for step_s in steps_s]

    def ends(self) -> tuple[Cluster, Cluster]:
        """Return two clusters: of steps that take the least that calibrated models allow, and the most.

        Beyond the batches of its log a calibrated model knows little; replay both to see how little.

        Example:
            >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.01))
            >>> cluster.ends() == (cluster, cluster)
            True
        """
        pairs = [(pool, ends(pool.latency)) for pool in self.pools]
        least, most = (
            replace(self, pools=tuple(replace(pool, latency=both[end]) for pool, both in pairs))
            for end in (0, 1)
        )
        return least, most

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            **{key: getattr(self, key) for key in _ROUTER_KEYS},
            "pool": [pool.to_dict() for pool in self.pools],
            **({"event": [event.to_dict() for event in self.events]} if self.events else {}),
        }


def _refuse_unknown(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise DataError(
            f"unknown key {unknown[0]!r}",
            where=where,
            fix=did_you_mean(unknown[0], sorted(known)),
        )


def _check_table(table: Any, of: type[Pool | Event], word: str, where: str) -> None:
    if not isinstance(table, dict):
        raise DataError("is not a table", where=where, fix=f"write [[{word}]]")
    _refuse_unknown(table, {key.name for key in fields(of)}, where)


def _event(table: Any, number: int, path: Path) -> Event:
    where = f"{path}, event {number + 1}"
    _check_table(table, Event, "event", where)
    for key in ("at_s", "kind", "instance"):
        if key not in table:
            raise DataError(
                f"has no {key}", where=where, fix="say when, what and to which instance"
            )
    try:
        return Event(**table)
    except UsageError as error:
        raise DataError(error.what, where=where, fix=error.fix) from error


def _pool(table: Any, number: int, path: Path) -> Pool:
    where = f"{path}, pool {number + 1}"
    _check_table(table, Pool, "pool", where)
    if "latency" not in table:
        raise DataError("has no latency", where=where, fix="name a catalogue model or a model JSON")
    latency = table["latency"]
    if not isinstance(latency, str) or len(latency) > MOST_PATH:
        problem = (
            f"latency = {str(latency)[:40]!r}" if isinstance(latency, str) else "latency is no text"
        )
        raise DataError(problem, where=where, fix="name a catalogue model or a model JSON")
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
