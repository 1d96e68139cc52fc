"""What one part of a trace leaves, what two of them are together, and the bytes of either."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.rules import Rule

__all__ = ["Partial", "merge"]


@dataclass(frozen=True)
class Partial:
    """What some parts of a trace leave: integers, so that merging rounds nothing.

    Attributes:
        key: of the plan that the parts are of.
        parts: their places in the plan, ascending.
        names: by column, the names that occur, ascending.
        arrays: by the name of a quantity of `RULES`.
    """

    key: str
    parts: tuple[int, ...]
    names: dict[str, tuple[str, ...]]
    arrays: dict[str, NDArray[Any]]

    def to_bytes(self) -> bytes:
        """Return a Parquet file; equal partial results have equal bytes."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {
                "name": list(self.arrays),
                "dtype": [str(each.dtype) for each in self.arrays.values()],
                "shape": [list(each.shape) for each in self.arrays.values()],
                "data": [np.ascontiguousarray(each).tobytes() for each in self.arrays.values()],
            },
            pa.schema(
                [
                    ("name", pa.string()),
                    ("dtype", pa.string()),
                    ("shape", pa.list_(pa.int64())),
                    ("data", pa.large_binary()),
                ],
                {"key": self.key, "parts": json.dumps(self.parts), "names": json.dumps(self.names)},
            ),
        )
        held = io.BytesIO()
        pq.write_table(table, held, compression="zstd", use_dictionary=False, row_group_size=1)
        return held.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Partial:
        """Read what `to_bytes` wrote.

        Raises:
            DataError: other bytes, or damaged ones.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(pa.BufferReader(data))
            said = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
            arrays = {
                row["name"]: np.frombuffer(row["data"], row["dtype"]).reshape(row["shape"])
                for row in table.to_pylist()
            }
            names = {key: tuple(each) for key, each in json.loads(said["names"]).items()}
            return cls(said["key"], tuple(json.loads(said["parts"])), names, arrays)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                "is no partial result, or is damaged", fix="measure that part again"
            ) from error


def merge(a: Partial, b: Partial, rules: dict[str, Rule]) -> Partial:
    """Return what the parts of both leave together; the order does not matter, nor the grouping.

    Raises:
        UsageError: the two are of different plans, or a part is in both.
    """
    if a.key != b.key:
        raise UsageError(
            "these partial results are of different traces, or were cut differently",
            fix="measure all parts with one plan",
        )
    twice = sorted({*a.parts} & {*b.parts})
    if twice:
        raise UsageError(f"part {twice[0]} is in both partial results", fix="merge each part once")
    names = {
        column: tuple(sorted({*a.names.get(column, ()), *b.names.get(column, ())}))
        for column in sorted({*a.names, *b.names})
    }
    arrays = {name: rules[name](a.arrays[name], b.arrays[name]) for name in a.arrays}
    return Partial(a.key, tuple(sorted((*a.parts, *b.parts))), names, arrays)
