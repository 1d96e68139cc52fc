"""Runs: the outcome traces of a replay, in memory or as a folder with one manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked, file_path
from workloadlab.atomic import scratch_folder, write_atomically
from workloadlab.display import Drawn
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.trace.manifest import (
    MANIFEST,
    Manifest,
    RunFile,
    RunInfo,
    check_target,
    unlisted,
)
from workloadlab.trace.trace import Trace
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

__all__ = ["Runs"]


@checked
@dataclass(frozen=True)
class Runs(Drawn):
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

    def __getitem__(self, which: int | str) -> Trace:
        """Return the outcome of a run, by place or by the name of its router or run.

        Raises:
            UsageError: no run matches, or more than one does.
            IndexError: there are fewer runs.
        """
        if isinstance(which, int):
            return self.traces[which]
        if any(info.run_id == which for info in self.infos):
            return next(trace for info, trace in self if info.run_id == which)
        return self.outcomes(router=which)

    @property
    def routers(self) -> list[str]:
        """Names of the routers, each once."""
        return list(dict.fromkeys(info.router for info in self.infos))

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
            if router and router not in self.routers:
                raise UsageError(
                    f"no router is called {router!r}", fix=did_you_mean(router, self.routers)
                )
            names = ", ".join(info.run_id for info in self.infos[:3])
            raise UsageError(
                f"{plural(len(found), 'run matches', 'runs match')} {asked}",
                fix=f"name router, rate_scale and seed of one of: {names}, ...",
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

    @classmethod
    def joined(cls, several: dict[str, Runs]) -> Runs:
        """Return runs of the same requests on several clusters, so that these can be compared.

        A router is called `cluster: router` then, and `cluster["clusters"]` holds every cluster.

        Args:
            several: runs by the name of their cluster.

        Raises:
            UsageError: they replay different requests.

        Example:
            >>> from workloadlab.trace import RunInfo
            >>> info = RunInfo(run_id="a__x1.0__s0", router="a", rate_scale=1.0, seed=0, instances=1)
            >>> runs = Runs((info,), (Trace.of([(0, 1, 1)]),))
            >>> [info.router for info in Runs.joined({"four": runs, "eight": runs}).infos]
            ['four: a', 'eight: a']
        """
        sizes = {name: {trace.requests for trace in runs.traces} for name, runs in several.items()}
        if len(set().union(*sizes.values())) > 1:
            said = ", ".join(f"{name} {max(size):,}" for name, size in sizes.items())
            raise UsageError(
                f"these runs do not replay the same requests: {said}",
                fix="replay one trace on each cluster",
            )
        infos = tuple(
            replace(info, run_id=f"{name}__{info.run_id}", router=f"{name}: {info.router}",
                    cluster=name)
            for name, runs in several.items()
            for info in runs.infos
        )  # fmt: skip
        traces = tuple(trace for runs in several.values() for trace in runs.traces)
        return cls(infos, traces, {"clusters": {name: r.cluster for name, r in several.items()}})

    def _setting(self) -> Any:
        """Return what runs must share to be compared."""
        lanes = {(info.rate_scale, info.seed) for info in self.infos}
        cluster = json.loads(json.dumps(self.cluster))
        return cluster, lanes, {_requests_of(trace) for trace in self.traces}

    def save(self, folder: str | Path, *, add: bool = False, overwrite: bool = False) -> Path:
        """Write every outcome trace and, last, the manifest that lists them with their digests.

        Whoever is interrupted leaves the runs that were there, or none.

        Args:
            folder: absent, empty, or with runs.
            add: join the runs that are there; they must replay the same on the same cluster.
            overwrite: replace the runs that are there.

        Raises:
            UsageError: the folder holds runs and neither is asked for, or files that are no runs;
                runs that cannot be joined; another process writes to the folder.
        """
        folder = file_path("folder", folder)
        check_target(folder, add=add, overwrite=overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(folder / MANIFEST, folder=folder) as temporary:
            there = Manifest()
            if add and (folder / MANIFEST).exists():
                there = Manifest.read(folder)
                _ = Runs.open(folder) + self
            files = dict(there.files)
            with scratch_folder(".runs-", folder) as scratch:
                for number, info in enumerate(self.infos):
                    files[info.run_id] = self._write(number, scratch)
                for listed in files.values():
                    for file in listed.values():
                        if (scratch / file.name).exists():
                            (scratch / file.name).replace(folder / file.name)
            manifest = Manifest(self.cluster, (*there.runs, *self.infos), files)
            manifest.write(temporary)
        for path in unlisted(folder, manifest):
            path.unlink(missing_ok=True)
        return folder

    def _write(self, number: int, folder: Path) -> dict[str, RunFile]:
        """Write the files of one run, named by their content."""
        run_id, raw = self.infos[number].run_id, folder / "raw"
        self.traces[number].write(raw)
        files = {"trace": RunFile.placed(raw, run_id, "trace")}
        records = self.records[number] if number < len(self.records) else {}
        for name, frame in records.items():
            frame.write_parquet(raw)
            files[name] = RunFile.placed(raw, f"{run_id}.{name}", "parquet")
        return files

    @classmethod
    def open(cls, folder: Runs | str | Path) -> Runs:
        """Open a folder that `save` wrote; outcome traces are read lazily. Runs are returned as such.

        Raises:
            UsageError: no such folder, no manifest in it, or scores only.
            DataError: a manifest that is damaged, or lists files that are missing or damaged.
        """
        import polars as pl

        if isinstance(folder, Runs):
            return folder
        folder = file_path("runs", folder, else_="Runs")
        manifest = Manifest.read(folder)
        if not manifest.has_outcomes:
            raise UsageError(
                "holds the scores of a sweep and no outcomes",
                where=str(folder),
                fix="score it, or sweep again with --keep outcomes",
            )
        traces, records = [], []
        for info in manifest.runs:
            files = dict(manifest.files[info.run_id])
            files.pop("score", None)
            traces.append(Trace.open(files.pop("trace").at(folder), verify=False))
            records.append({name: pl.read_parquet(f.at(folder)) for name, f in files.items()})
        return cls(manifest.runs, tuple(traces), manifest.cluster, tuple(records))

    def __repr__(self) -> str:
        routers = ", ".join(self.routers)
        requests = self.traces[0].requests if self.traces else 0
        return f"<Runs: {plural(len(self), 'run')} of {plural(requests, 'request')}; routers {routers}>"


def _requests_of(trace: Trace) -> Any:
    """Return what tells whose requests an outcome trace holds."""
    import polars as pl

    sums = trace.frame.select(
        pl.len(), pl.col("input_tokens").cast(pl.Int64).sum(), pl.col("row_id").max().alias("last")
    )
    return sums.collect().row(0)
