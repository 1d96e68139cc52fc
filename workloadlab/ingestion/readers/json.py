"""JSON lines as chunks of text columns."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.ingestion.inspect import nested, text_of
from workloadlab.ingestion.parsing.values import hashed_block
from workloadlab.ingestion.readers.chunk import PLACES, Chunk, Reading, piecewise, rejected
from workloadlab.ingestion.sources import text_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloadlab.ingestion.inspect import Head

__all__ = ["read_jsonl"]

INVALID = "invalid JSON"
NO_OBJECT = "not a JSON object"
NO_BLOCKS = "not a list of block ids"


def read_jsonl(head: Head, wanted: Mapping[str, pl.DataType]) -> Reading:
    """Read the wanted keys of a JSON-lines file as text; blank lines are no rows.

    A block in which every line is an object goes through polars, any other line by line.
    """
    wanted = {
        key: dtype if isinstance(dtype, pl.List) else pl.String() for key, dtype in wanted.items()
    }
    paths = {key: head.paths.get(key, (key,)) for key in wanted}

    def parse(text: bytes) -> list[Chunk]:
        return piecewise(
            text,
            lambda part: fast_objects(part, paths, wanted),
            lambda part: patient_objects(part, paths, wanted),
            quotes=False,
        )

    return Reading(text_blocks(head.path, quotes=False), parse)


def fast_objects(
    text: bytes, paths: Mapping[str, tuple[str, ...]], wanted: Mapping[str, pl.DataType]
) -> Chunk | None:
    """Read a block with polars, or return None if any line of it is not plainly one object."""
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    try:
        frame = pl.read_ndjson(io.BytesIO(text), schema=_schema(paths, wanted))
    except pl.exceptions.PolarsError:
        return None
    if frame.height != lines:
        return None
    return Chunk(frame.select(nested(paths[key]).alias(key) for key in wanted), lines)


def _schema(
    paths: Mapping[str, tuple[str, ...]], wanted: Mapping[str, pl.DataType]
) -> dict[str, pl.DataType]:
    tree: dict[str, Any] = {}
    for key, dtype in wanted.items():
        branch = tree
        for name in paths[key][:-1]:
            branch = branch.setdefault(name, {})
        branch[paths[key][-1]] = dtype
    return {name: _dtype(branch) for name, branch in tree.items()}


def _dtype(branch: Any) -> pl.DataType:
    if not isinstance(branch, dict):
        return branch  # type: ignore[no-any-return]
    return pl.Struct({name: _dtype(below) for name, below in branch.items()})


def patient_objects(
    text: bytes, paths: Mapping[str, tuple[str, ...]], wanted: Mapping[str, pl.DataType]
) -> Chunk:
    """Read a block line by line and set aside what is no object."""
    columns: dict[str, list[Any]] = {key: [] for key in wanted}
    good, bad = [], []
    row = 0
    for line, record in enumerate(text.decode("utf-8", "replace").split("\n"), start=1):
        if not record.strip():
            continue
        row += 1
        values = _values(record, paths, wanted)
        if isinstance(values, dict):
            good.append((row, line))
            for key, value in values.items():
                columns[key].append(value)
        else:
            bad.append((row, line, *values))
    return Chunk(
        pl.DataFrame(columns, schema=wanted),
        text.count(b"\n"),
        rejected(bad),
        pl.DataFrame(good, schema=PLACES, orient="row"),
    )


def _values(
    text: str, paths: Mapping[str, tuple[str, ...]], wanted: Mapping[str, pl.DataType]
) -> dict[str, Any] | tuple[str | None, str | None, str]:
    """Return the wanted values of one line, or (column, value, reason) of what is wrong with it.

    The line itself is never quoted: it may hold a prompt.
    """
    try:
        record = json.loads(text)
    except ValueError:
        return None, None, INVALID
    if not isinstance(record, dict):
        return None, None, NO_OBJECT
    values: dict[str, Any] = {}
    for key, where in paths.items():
        value: Any = record
        for name in where:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(wanted[key], pl.List):
            try:
                values[key] = value if value is None else [hashed_block(item) for item in value]
            except TypeError:
                return key, None, NO_BLOCKS
        else:
            values[key] = text_of(value)
    return values
