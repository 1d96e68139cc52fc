"""Finding things in published data: files around a path, one configuration among several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.latency.hardware.geometry import ModelGeometry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["choose", "find_around", "geometry_of", "licence_of", "only_folder", "read_table"]


def find_around(path: Path, relative: str) -> Path | None:
    """Return `relative` below `path` or the nearest folder above it that has it."""
    places = (path, *path.resolve().parents)
    return next((place / relative for place in places if (place / relative).exists()), None)


def only_folder(path: Path, found: Iterable[Path], layout: str) -> Path:
    """Return the only folder of `found` or say which there are.

    Raises:
        UsageError: there is none, or there are several.
    """
    folders = sorted(set(found))
    if not folders:
        raise UsageError(f"holds no {layout}", where=str(path), fix=f"name a folder {layout}")
    if len(folders) > 1:
        names = ", ".join(str(folder.relative_to(path)) for folder in folders[:12])
        raise UsageError(
            f"holds tables of {len(folders)} configurations",
            where=str(path),
            fix=f"name one of {names}{', ...' * (len(folders) > 12)}",
        )
    return folders[0]


def geometry_of(folder: Path, model: str) -> ModelGeometry:
    """Read the `config.json` in the folder or up to two above it, else the built-in shape.

    Raises:
        UsageError: an unknown model without a config.
        DataError: a config that lacks a size.
    """
    for place in (folder, *folder.parents[:2]):
        if (place / "config.json").is_file():
            return ModelGeometry.from_config(place / "config.json", model=model)
    return ModelGeometry.named(model)


def licence_of(own: str, notes: str) -> str:
    """Return the licence of a source, with that of the tables that its notes say were added."""
    return f"{own}; Apache-2.0 (aiconfigurator)" if "aiconfigurator" in notes else own


def read_table(path: Path, columns: Iterable[str] = ()) -> pl.DataFrame:
    """Read a Parquet or CSV table and check that it has the columns.

    Raises:
        DataError: unreadable, or a column is missing.
    """
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(f"lacks the columns {', '.join(missing)}", where=str(path))
    return frame


def choose(
    frame: pl.DataFrame, path: Path, wanted: dict[str, str | int | None], columns: dict[str, str]
) -> pl.DataFrame:
    """Keep the rows of one configuration.

    Args:
        frame: the table.
        path: its file, for messages.
        wanted: option -> value or None for "whatever there is"; text matches in any case, also the
            part after the last slash.
        columns: option -> column, for the same options.

    Raises:
        UsageError: nothing has the wanted value, or several configurations remain.
    """
    for option, value in wanted.items():
        column = columns[option]
        if value is None:
            continue
        text = pl.col(column).cast(pl.String).str.to_lowercase()
        plain = str(value).lower()
        kept = frame.filter((text == plain) | text.str.ends_with(f"/{plain}"))
        if kept.is_empty():
            known = ", ".join(map(str, frame[column].unique().sort().drop_nulls().to_list()[:20]))
            raise UsageError(
                f"no rows with {option} = {value}", where=str(path), fix=f"there are: {known}"
            )
        frame = kept
    for option, column in columns.items():
        values = frame[column].unique().sort().drop_nulls().to_list()
        if len(values) > 1:
            raise UsageError(
                f"holds {len(values)} values of {option}: {', '.join(map(str, values[:20]))}",
                where=str(path),
                fix=f"choose one: {option}={str(values[0]).rsplit('/', 1)[-1]}",
            )
    return frame
