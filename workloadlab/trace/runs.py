"""Runs: the outcome traces of a replay, in memory or as a folder with one manifest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError, UsageError
from workloadlab.trace.store import write_atomically
from workloadlab.trace.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

__all__ = ["RunInfo", "Runs"]

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What one run replayed.

    Attributes:
        run_id: unique name within the folder, also the file's stem.
        router: the routing policy's name.
        rate_scale: arrival rate relative to the trace.
        seed: index of the seed, from 0.
        instances: number of instances in the cluster.
        steps: engine steps simulated.
        steps_outside_domain: steps whose batch lay outside the latency model's fitted domain.
    """

    run_id: str
    router: str
    rate_scale: float
    seed: int
    instances: int
    steps: int = 0
    steps_outside_domain: int = 0


@dataclass(frozen=True)
class Runs:
    """Outcome traces of one replay call, in the order routers x rate scales x seeds.

    Attributes:
        infos: one RunInfo per run.
        traces: the outcome trace of each run, same order.
        cluster: the cluster as plain data, as written in the manifest.
        records: by run what was recorded beside the outcomes: "steps" and "decisions", frames that
            `replay(..., record=...)` asked for.
    """

    infos: tuple[RunInfo, ...]
    traces: tuple[Trace, ...]
    cluster: dict[str, Any] = field(default_factory=dict)
    records: tuple[dict[str, pl.DataFrame], ...] = ()

    def __len__(self) -> int:
        return len(self.infos)

    def __iter__(self) -> Iterator[tuple[RunInfo, Trace]]:
        return iter(zip(self.infos, self.traces, strict=True))

    def outcomes(
        self, *, router: str | None = None, rate_scale: float | None = None, seed: int | None = None
    ) -> Trace:
        """Return the outcome trace of the one run that matches.

        Raises:
            UsageError: no run matches, or more than one does.
        """
        wanted = {"router": router, "rate_scale": rate_scale, "seed": seed}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        found = [
            trace
            for info, trace in self
            if all(getattr(info, name) == value for name, value in wanted.items())
        ]
        if len(found) != 1:
            asked = ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "no filter"
            names = ", ".join(info.run_id for info in self.infos)
            raise UsageError(
                f"{len(found)} runs match {asked}",
                fix=f"name router, rate_scale and seed of one of: {names}",
            )
        return found[0]

    def __add__(self, other: Runs) -> Runs:
        """Return these runs and others of the same trace, cluster, rate scales and seeds.

        Raises:
            UsageError: they replay something else, or a run occurs in both.

        Example:
            >>> from dataclasses import replace
            >>> info = RunInfo(run_id="a__x1.0__s0", router="a", rate_scale=1.0, seed=0, instances=1)
            >>> trace = Trace.of([(0, 1, 1)])
            >>> runs = Runs((info,), (trace,))
            >>> more = Runs((replace(info, run_id="b__x1.0__s0", router="b"),), (trace,))
            >>> [info.router for info, _ in runs + more]
            ['a', 'b']
        """
        twice = {info.run_id for info in self.infos} & {info.run_id for info in other.infos}
        if twice:
            raise UsageError(f"{min(twice)} is in both runs", fix="join each run once")
        if self._setting() != other._setting():
            raise UsageError(
                "these runs do not replay the same requests at the same rates and seeds on the same "
                "cluster, so they cannot be compared",
                fix="replay both with the same trace, cluster, rate_scale and seeds",
            )
        records = tuple(
            noted
            for runs in (self, other)
            for noted in (*runs.records, *({} for _ in range(len(runs) - len(runs.records))))
        )
        return Runs(self.infos + other.infos, self.traces + other.traces, self.cluster, records)

    def _setting(self) -> Any:
        """Return what runs must share to be compared."""
        lanes = {(info.rate_scale, info.seed) for info in self.infos}
        return self.cluster, lanes, {trace.requests for trace in self.traces}

    def save(self, folder: str | Path) -> Path:
        """Write every outcome trace and, last, the manifest that names them."""
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file", fix="name a folder for the runs")
        folder.mkdir(parents=True, exist_ok=True)
        for info, trace in self:
            trace.save(folder / f"{info.run_id}.trace")
        for info, records in zip(self.infos, self.records, strict=False):
            for name, frame in records.items():
                with write_atomically(folder / f"{info.run_id}.{name}.parquet") as temporary:
                    frame.write_parquet(temporary)
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "cluster": self.cluster,
            "runs": [asdict(info) for info in self.infos],
        }
        with write_atomically(folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        return folder

    @classmethod
    def open(cls, folder: str | Path) -> Runs:
        """Open a folder that `save` wrote; outcome traces are read lazily.

        Raises:
            UsageError: no such folder, or no manifest in it.
            DataError: a manifest that is damaged or names files that are missing.
        """
        folder = Path(folder)
        manifest = folder / MANIFEST
        if not manifest.is_file():
            raise UsageError(
                f"no {MANIFEST} here, so this is no folder of runs",
                where=str(folder),
                fix="name the folder that `workloadlab replay -o` wrote",
            )
        try:
            facts = json.loads(manifest.read_text())
            infos = tuple(RunInfo(**run) for run in facts["runs"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                "the manifest is damaged", where=str(manifest), fix="replay again"
            ) from error
        traces = tuple(Trace.open(folder / f"{info.run_id}.trace") for info in infos)
        records = tuple(_records(folder, info.run_id) for info in infos)
        return cls(infos, traces, facts.get("cluster", {}), records)

    def __repr__(self) -> str:
        routers = ", ".join(dict.fromkeys(info.router for info in self.infos))
        requests = self.traces[0].requests if self.traces else 0
        return f"<Runs: {len(self)} runs of {requests:,} requests; routers {routers}>"


def _records(folder: Path, run_id: str) -> dict[str, pl.DataFrame]:
    """Read what was recorded beside the outcomes of a run."""
    import polars as pl

    start = f"{run_id}."
    files = sorted(folder.glob(f"{run_id}.*.parquet"))
    return {
        path.name.removeprefix(start).removesuffix(".parquet"): pl.read_parquet(path)
        for path in files
    }
