"""A trace: a lazy frame of requests, where it came from, and what it can be used for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab._version import __version__
from workloadlab.errors import DataError, UnsupportedError, UsageError
from workloadlab.shapes import ShapeError, build
from workloadlab.trace.bounds import check_numbers
from workloadlab.trace.parts import read_parts, scan_parts
from workloadlab.trace.schema import CAPABILITIES, COLUMNS, GIVEN, REQUIRED, SCHEMA_VERSION
from workloadlab.trace.store import scan_trace, write_trace

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Provenance", "Trace"]

_AGAIN = "ingest the source again"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a trace came from; stored as JSON in the Parquet footer.

    Attributes:
        reader: the log format, or the verb that made the trace.
        options: the reader's options as they were used.
        sources: one dict per source file: path, bytes, sha256, rows.
        t0_unix_ns: absolute time of `arrival_ns == 0`, or None for a relative trace.
        zone_assumed: the time zone taken for naive timestamps, or None.
        units: unit decisions by column, such as {"arrival": "ms"}.
        why: how each unit is known, by column.
        rows: counts: read, written, and by reason rejected, repaired, left_out.
        notes: sentences about what a reader should know: what looked odd, what was left aside.
        system: what is known of the engine, by the names of `workloadlab.trace.ENGINE_FACTS`.
        parents: provenance of the traces this one was made from.
    """

    reader: str
    options: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    t0_unix_ns: int | None = None
    zone_assumed: str | None = None
    units: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    system: dict[str, Any] = field(default_factory=dict)
    parents: list[dict[str, Any]] = field(default_factory=list)
    tool_version: str = __version__
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any], *, where: str | None = None) -> Provenance:
        """Read what `to_dict` wrote; keys of later versions are dropped.

        Raises:
            DataError: a key is missing, or of another type.
        """
        try:
            made: Provenance = build(cls, facts)
        except ShapeError as error:
            raise DataError(
                f"has a damaged provenance: {error}", where=where, fix=_AGAIN
            ) from error
        return made


@dataclass(frozen=True)
class Trace:
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
    def open(cls, path: str | Path, *, verify: bool = True) -> Trace:
        """Open a trace file, or the folder of one that grows; rows are read when they are asked for.

        Args:
            path: the file.
            verify: hold the file against the digest in its footer, which reads it once (0.3 s for
                200 MB).

        Raises:
            UsageError: no such file.
            DataError: the file is not a trace, is damaged, or has another schema version.
        """
        path = Path(path)
        parts = read_parts(path)
        frame, footer = (
            scan_parts(path, parts, verify=verify) if parts else scan_trace(path, verify=verify)
        )
        return cls(frame, Provenance.from_dict(footer, where=str(path)), path)

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame | pl.LazyFrame,
        *,
        source_format: str = "frame",
        provenance: Provenance | None = None,
    ) -> Trace:
        """Make a trace of a frame that has at least `arrival_ns` and `input_tokens`.

        Casts to the schema, sorts by (arrival_ns, row_id) and fills `row_id`, `source_format`,
        `warmup` and `flags` where they are absent.

        Raises:
            UsageError: a required column is missing or an unknown one is present.
            DataError: a number that a trace cannot hold, such as a negative or NaN token count.
        """
        lazy = frame.lazy()
        names = lazy.collect_schema().names()
        for needed in GIVEN:
            if needed not in names:
                raise UsageError(f"the frame has no column {needed}; it has {', '.join(names)}")
        unknown = [name for name in names if name not in COLUMNS]
        if unknown:
            raise UsageError(
                f"unknown columns {', '.join(unknown)}",
                fix=f"rename or drop them; a trace has {', '.join(COLUMNS)}",
            )
        check_numbers(lazy)
        defaults = {
            "source_format": pl.lit(source_format),
            "warmup": pl.lit(value=False),
            "flags": pl.lit(0),
        }
        if "row_id" not in names:
            lazy = lazy.with_row_index("row_id")
        lazy = lazy.with_columns(
            expression.alias(name) for name, expression in defaults.items() if name not in names
        )
        present = set(lazy.collect_schema().names())
        lazy = lazy.select(
            pl.col(name).cast(dtype) for name, dtype in COLUMNS.items() if name in present
        ).sort("arrival_ns", "row_id")
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
        rows = [(round(arrival_s * 1e9), *lengths) for arrival_s, *lengths in requests]
        schema = {name: COLUMNS[name] for name in (*GIVEN, "output_tokens")}
        return cls.from_frame(pl.DataFrame(rows, schema, orient="row"))

    def save(self, path: str | Path) -> Trace:
        """Write the trace atomically as zstd Parquet and return it opened from there."""
        path = Path(path)
        self.write(path)
        return Trace.open(path, verify=False)

    def write(self, path: Path) -> None:
        """Write the trace atomically as zstd Parquet, with its digest in the footer."""
        write_trace(self.frame, path, self.provenance.to_dict())

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
        marks = self.frame.select(
            pl.col(name).is_not_null().any() for name in self.columns
        ).collect()
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
        if capability not in CAPABILITIES:
            raise UsageError(
                f"unknown capability {capability!r}", fix=f"use one of {', '.join(CAPABILITIES)}"
            )
        return self.has(*CAPABILITIES[capability])

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
        """Collect the named columns in row order; absent ones come back as nulls."""
        return self.frame.select(
            pl.col(name) if name in self.columns else pl.lit(None, COLUMNS[name]).alias(name)
            for name in columns
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
        child = Provenance(
            reader="window",
            options={"start_s": start_s, "end_s": end_s},
            t0_unix_ns=self.provenance.t0_unix_ns,
            system=self.provenance.system,
            parents=[self.provenance.to_dict()],
        )
        return Trace(self.frame.filter((arrival >= start_ns) & (arrival < end_ns)), child)

    def capabilities(self) -> list[str]:
        """Names of everything this trace supports."""
        return [name for name in CAPABILITIES if self.supports(name)]

    def __repr__(self) -> str:
        rate = f", {self.requests / self.span_s:.4g} requests/s" if self.span_s else ""
        where = f" {self.path}" if self.path else ""
        return (
            f"<Trace{where}: {self.requests:,} requests over {self.span_s:,.1f} s{rate}; "
            f"supports {', '.join(self.capabilities())}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        head = self.frame.head(5).select(n for n in self.columns if n not in REQUIRED[:2]).collect()
        return f"<p>{escape(repr(self)[1:-1])}</p>{head._repr_html_()}"
