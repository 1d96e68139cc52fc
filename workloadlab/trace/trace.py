"""A trace: a lazy frame of requests, where it came from, and what it can be used for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from workloadlab.arguments import checked, file_path, whole_number
from workloadlab.display import Drawn, drawers
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.trace.conditions import conditions
from workloadlab.trace.frames import frame_of, pandas_frame, trace_rows
from workloadlab.trace.parts import read_parts, scan_parts
from workloadlab.trace.provenance import Provenance
from workloadlab.trace.sampling import draw, note_of
from workloadlab.trace.schema import CAPABILITIES, COLUMNS, named
from workloadlab.trace.store import scan_trace, write_trace
from workloadlab.words import plural, three

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AnyTrace", "Provenance", "Trace"]

AnyTrace: TypeAlias = "Trace | str | Path | pl.DataFrame | pl.LazyFrame"
"""What `Trace.open` takes: a trace, its path, or a frame (also one of pandas)."""


@checked
@dataclass(frozen=True)
class Trace(Drawn):
    """Requests in arrival order, with provenance.

    Attributes:
        frame: LazyFrame with the columns of `workloadlab.trace.COLUMNS`; optional ones may be absent.
        provenance: where it came from.
        path: the file it was opened from or saved to, if any.

    Example:
        >>> import polars as pl
        >>> trace = Trace.from_frame(pl.DataFrame(
        ...     {"arrival_ns": [0, 500_000_000], "input_tokens": [10, 20], "output_tokens": [5, 6]}))
        >>> trace.requests, trace.span_s, trace.supports("lengths"), trace.supports("prefix")
        (2, 0.5, True, False)
    """

    frame: pl.LazyFrame
    provenance: Provenance
    path: Path | None = None

    @classmethod
    def open(cls, source: AnyTrace, *, verify: bool = True) -> Trace:
        """Open a trace file, or the folder of one that grows; rows are read when they are asked for.

        Args:
            source: its path; or what needs no opening: a trace, or a frame of polars or pandas with
                columns of a trace.
            verify: hold the file against the digest in its footer, which reads it once (0.3 s for
                200 MB).

        Raises:
            UsageError: no such file, or a frame with other columns.
            DataError: the file is not a trace, is damaged, or has another schema version.
        """
        if isinstance(source, Trace):
            return source
        if not isinstance(source, str | Path):
            return cls.from_frame(source)
        path = Path(source)
        parts = read_parts(path)
        frame, footer = (
            scan_parts(path, parts, verify=verify) if parts else scan_trace(path, verify=verify)
        )
        return cls(frame, Provenance.from_dict(footer, where=str(path)), path)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame | pl.LazyFrame | Any,
        *,
        source_format: str = "frame",
        provenance: Provenance | None = None,
    ) -> Trace:
        """Make a trace of a polars or pandas frame that has at least `arrival_ns` and `input_tokens`.

        Casts to the schema, sorts by (arrival_ns, row_id) and fills `row_id`, `source_format`,
        `warmup` and `flags` where they are absent.

        Raises:
            UsageError: a required column is missing or an unknown one is present.
            DataError: a number that a trace cannot hold, such as a negative or NaN token count.
        """
        lazy = trace_rows(frame, source_format)
        return cls(lazy, provenance or Provenance(reader=source_format))

    @classmethod
    def of(cls, requests: Iterable[tuple[float, int, int | None]]) -> Trace:
        """Make a small trace of requests written out by hand, as examples and experiments do.

        Args:
            requests: arrival in s after the trace's t0, tokens of the prompt, and tokens of the
                output or None where it is not known; in any order.

        Example:
            >>> Trace.of([(0, 10, 5), (0.5, 20, 6)]).read("arrival_ns", "output_tokens").rows()
            [(0, 5), (500000000, 6)]
        """
        return cls.from_frame(frame_of(requests))

    def save(self, path: str | Path) -> Trace:
        """Write the trace atomically as zstd Parquet and return it opened from there."""
        self.write(path)
        return Trace.open(path, verify=False)

    def write(self, path: str | Path) -> None:
        """Write the trace atomically as zstd Parquet, with its digest in the footer."""
        write_trace(self.frame, file_path("path", path), self.provenance.to_dict())

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns present in the frame."""
        return tuple(self.frame.collect_schema().names())

    @cached_property
    def requests(self) -> int:
        """Number of rows."""
        return int(self.frame.select(pl.len()).collect().item())

    @cached_property
    def span_s(self) -> float:
        """Seconds between the first and the last arrival; 0.0 for an empty trace."""
        first, last = (
            self.frame.select(
                first=pl.col("arrival_ns").min(), last=pl.col("arrival_ns").max()
            ).collect()
        ).row(0)
        return 0.0 if first is None else (last - first) / 1e9

    @cached_property
    def _filled(self) -> frozenset[str]:
        """Columns with at least one value."""
        if self.requests == 0:
            return frozenset()
        marks = self.frame.select(pl.col(n).is_not_null().any() for n in self.columns).collect()
        return frozenset(name for name in self.columns if marks[name].item())

    def has(self, *columns: str) -> bool:
        """Say whether every named column is present and holds at least one value."""
        return all(name in self._filled for name in columns)

    def supports(self, capability: str) -> bool:
        """Say whether the trace holds what `capability` needs.

        Args:
            capability: one of arrivals, input, output, lengths, prefix, session, think, tenant,
                model, timings, queue, instances, predicted_output.

        Raises:
            UsageError: an unknown capability.
        """
        return self.has(*named(CAPABILITIES, capability, "capability"))

    def require(self, capability: str, purpose: str) -> None:
        """Refuse, in a sentence, a purpose that this trace cannot serve.

        Raises:
            UnsupportedError: the trace lacks the columns of `capability`.
        """
        if not self.supports(capability):
            lacking = [name for name in CAPABILITIES[capability] if not self.has(name)]
            raise UnsupportedError(
                f"{purpose} needs {' and '.join(lacking)}, which this trace does not record",
                where=str(self.path) if self.path else None,
                fix="ingest a log that has it, or map the column with --map",
            )

    def read(self, *columns: str) -> pl.DataFrame:
        """Collect the named columns in row order; absent ones come back as nulls.

        Raises:
            UsageError: a trace has no such column.
        """
        kinds = {name: named(COLUMNS, name, "column") for name in columns}
        return self.frame.select(
            pl.col(name) if name in self.columns else pl.lit(None, kind).alias(name)
            for name, kind in kinds.items()
        ).collect()

    @cached_property
    def clocks(self) -> tuple[str, ...]:
        """Whose clocks measured its TTFT: client, gateway, engine; none where no log said so."""
        if not self.has("ttft_clock"):
            return ()
        named = self.frame.select(pl.col("ttft_clock").unique().drop_nulls()).collect()
        return tuple(sorted(named["ttft_clock"]))

    def window(self, start_s: float, end_s: float) -> Trace:
        """Return the requests that arrive in [start_s, end_s), in seconds from the trace's t0."""
        if not start_s < end_s:
            raise UsageError(f"the window {start_s} to {end_s} s is empty")
        start_ns, end_ns = round(start_s * 1e9), round(end_s * 1e9)
        arrival = pl.col("arrival_ns")
        rows = self.frame.filter((arrival >= start_ns) & (arrival < end_ns))
        return self._part(rows, "window", {"start_s": start_s, "end_s": end_s})

    def filter(self, *predicates: pl.Expr, **values: Any) -> Trace:
        """Return the requests that meet every condition.

        Args:
            predicates: polars expressions over columns of the trace.
            values: a column and the value that it has, or a list of such values.

        Raises:
            UsageError: a column that the trace does not have, or a condition that polars refuses.

        Example:
            >>> trace = Trace.of([(0, 10, 5), (1, 2000, 6), (2, 3000, 5)])
            >>> len(trace.filter(pl.col("input_tokens") > 100, output_tokens=[5, 7]))
            1
        """
        found = conditions(self.frame.collect_schema(), predicates, values)
        said = {"predicates": [str(each) for each in found]}
        return self._part(self.frame.filter(*found), "filter", said)

    def sample(self, requests: float, *, by: str = "request", seed: int = 0) -> Trace:
        """Return requests drawn at random, in order of arrival; the sample notes what it breaks.

        Args:
            requests: how many, or a share below 1.
            by: `request`, each as likely as any: breaks rates, sessions and reuse. `session`, whole
                sessions while they fit in so many requests, at least one: breaks rates and reuse
                across sessions.
                `window`, so many in a row: breaks sessions at its ends.
            seed: the same seed draws the same.

        Raises:
            UsageError: no number of requests, by something else, or a seed that is none.
            UnsupportedError: no request names a session.

        Example:
            >>> trace = Trace.of([(k, 10 + k, 5) for k in range(100)])
            >>> len(trace.sample(10)), len(trace.sample(0.25)), trace.sample(3, by="window").span_s
            (10, 25, 2.0)
        """
        if by == "session":
            self.require("session", "a sample by session")
        rows = draw(self.frame, self.requests, requests, by, seed)
        options = {"requests": requests, "by": by, "seed": seed}
        return self._part(rows.lazy(), "sample", options, note_of(by, len(rows), self.requests))

    def _part(self, rows: pl.LazyFrame, reader: str, options: dict[str, Any], *notes: str) -> Trace:
        """Return some rows as a trace that says what it is a part of."""
        child = Provenance(
            reader=reader,
            options=options,
            t0_unix_ns=self.provenance.t0_unix_ns,
            system=self.provenance.system,
            notes=list(notes),
            parents=[self.provenance.to_dict()],
        )
        return Trace(rows, child)

    def __len__(self) -> int:
        return self.requests

    def __bool__(self) -> bool:
        return True

    def head(self, requests: int = 5) -> pl.DataFrame:
        """Return the first rows, with the columns that hold a value."""
        rows = whole_number("requests", requests, 0)
        return self.frame.head(rows).select(n for n in self.columns if self.has(n)).collect()

    def to_polars(self) -> pl.DataFrame:
        """Return all rows as a polars frame."""
        return self.frame.collect()

    def to_pandas(self) -> Any:
        """Return all rows as a pandas frame.

        Raises:
            UsageError: pandas is not installed.
        """
        return pandas_frame(self.to_polars())

    @property
    def plot(self) -> Any:
        """Its figures by topic, such as `trace.plot.arrivals()`: matplotlib Figures."""
        return drawers["plots"](self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What `ingest` says of the log: rows repaired, set aside or left out, and what looked odd."""
        return (*self.provenance.counted(), *self.provenance.notes)

    def capabilities(self) -> list[str]:
        """Names of everything this trace supports."""
        return [name for name in CAPABILITIES if self.supports(name)]

    def __repr__(self) -> str:
        rate = f", {three(self.requests / self.span_s)} requests/s" if self.span_s else ""
        where = f" {self.path}" if self.path else ""
        notes = f"; {plural(len(self.notes), 'note')}, see .notes" if self.notes else ""
        return (
            f"<Trace{where}: {plural(self.requests, 'request')} over {self.span_s:,.1f} s{rate}; "
            f"supports {', '.join(self.capabilities())}{notes}>"
        )
