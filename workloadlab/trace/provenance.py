"""Where a trace came from, as its file says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from workloadlab._version import __version__
from workloadlab.errors import DataError
from workloadlab.shapes import ShapeError, build
from workloadlab.trace.schema import SCHEMA_VERSION
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Provenance"]

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

    def counted(self, rejects: str = "") -> Iterator[str]:
        """Say of how many rows a value was repaired, and how many were set aside or left out, and why.

        Args:
            rejects: the file that holds those that were set aside.

        Example:
            >>> list(Provenance(reader="csv", rows={"left_out": {"run is not b200": 3}}).counted())
            ['3 rows left out: 3 run is not b200']
        """
        became = {
            "repaired": ("value", "set to null or read again"),
            "rejected": ("bad row", f"set aside in {rejects}" if rejects else "set aside"),
            "left_out": ("row", "left out"),
        }
        for done, (noun, words) in became.items():
            if counts := self.rows.get(done):
                reasons = ", ".join(f"{count:,} {why}" for why, count in sorted(counts.items()))
                yield f"{plural(sum(counts.values()), noun)} {words}: {reasons}"

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
