"""What a query returns, in types that polars holds, or as numbers and text for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyRelation
    from duckdb.sqltypes import DuckDBPyType

__all__ = ["held", "told"]

_PLAIN = frozenset({
    "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger",
    "ubigint", "hugeint", "float", "double", "decimal", "varchar",
})  # fmt: skip
_SCALARS = _PLAIN | {
    "blob", "date", "time", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns",
    "timestamp with time zone", "uuid", "enum", "null",
}  # fmt: skip
_NESTED = frozenset({"list", "array", "struct", "map", "tuple"})
_AS_JSON = _NESTED | {"union", "variant"}


def held(relation: DuckDBPyRelation) -> pl.DataFrame:
    """Return a result; what polars has no type for is text, JSON where it is nested."""
    return _with_text(relation, [not _holds(kind) for kind in relation.types])


def told(relation: DuckDBPyRelation) -> tuple[pl.DataFrame, frozenset[str]]:
    """Return a result whose columns are numbers or text, and those whose text is JSON."""
    kinds = relation.types
    frame = _with_text(relation, [kind.id not in _PLAIN for kind in kinds])
    nested = (_nested(kind) for kind in kinds)
    return frame, frozenset(n for n, json in zip(frame.columns, nested, strict=True) if json)


def _with_text(relation: DuckDBPyRelation, as_text: list[bool]) -> pl.DataFrame:
    found: pl.DataFrame
    if not any(as_text):
        found = relation.pl()
        return found
    parts = []
    for i, (name, kind, text) in enumerate(
        zip(relation.columns, relation.types, as_text, strict=True), start=1
    ):
        value = f"CAST(to_json(#{i}) AS VARCHAR)" if _nested(kind) else f"CAST(#{i} AS VARCHAR)"
        quoted = name.replace('"', '""')
        parts.append(f'{value if text else f"#{i}"} AS "{quoted}"')
    found = relation.project(", ".join(parts)).pl()
    return found


def _nested(kind: DuckDBPyType) -> bool:
    return kind.id in _AS_JSON or str(kind) == "JSON"


def _holds(kind: DuckDBPyType) -> bool:
    if kind.id not in _NESTED:
        return kind.id in _SCALARS
    return all(_holds(inner) for _, inner in kind.children if not isinstance(inner, int))
