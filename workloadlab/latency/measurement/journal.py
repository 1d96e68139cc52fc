"""The record of a measurement: one line per step as it is measured, so that it can go on later."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import polars as pl

from workloadlab.errors import DataError
from workloadlab.latency.measurement.plan import Shape
from workloadlab.latency.samples import SAMPLE_COLUMNS
from workloadlab.latency.step import FEATURES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Journal"]

_SAME = ("gpu", "model", "dtype", "geometry", "torch")


class Journal:
    """An append-only file: the conditions in the first line, then a shape and its time per line.

    A line that a crash cut short is dropped; other conditions than those recorded are refused.
    """

    def __init__(self, path: Path, conditions: dict[str, Any]) -> None:
        self.path = path
        self.seconds: dict[Shape, float] = {}
        if path.is_file() and path.stat().st_size:
            self._resume(conditions)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(conditions) + "\n", encoding="utf-8")

    def _resume(self, conditions: dict[str, Any]) -> None:
        text = self.path.read_text(encoding="utf-8")
        whole, _, cut = text.rpartition("\n")
        if cut:
            self.path.write_text(whole + "\n" if whole else "", encoding="utf-8")
        lines = whole.splitlines()
        try:
            recorded, *entries = [json.loads(line) for line in lines]
            self.seconds = {Shape(*entry["shape"]): float(entry["s"]) for entry in entries}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                "is not the journal of a measurement", where=str(self.path), fix="remove it"
            ) from error
        for name in _SAME:
            if recorded.get(name) != conditions.get(name):
                raise DataError(
                    f"was measured with {name} = {recorded.get(name)!r}, now it is "
                    f"{conditions.get(name)!r}",
                    where=str(self.path),
                    fix="remove the journal to start again, or write to another file",
                )

    def add(self, shape: Shape, seconds: float, clock_mhz: int | None) -> None:
        """Append one measurement and flush it."""
        entry = {"shape": astuple(shape), "s": seconds, "clock_mhz": clock_mhz}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.seconds[shape] = seconds

    def samples(self, *, gpu: str, model: str) -> pl.DataFrame:
        """Return the step table of everything measured, in order of shape."""
        shapes = sorted(self.seconds)
        rows = [shape.features for shape in shapes]
        return pl.DataFrame(
            {
                **{name: [row[i] for row in rows] for i, name in enumerate(FEATURES)},
                "latency_ns": [round(self.seconds[shape] * 1e9) for shape in shapes],
                "gpu": [gpu] * len(rows),
                "model": [model] * len(rows),
                "tp": [1] * len(rows),
                "group": [f"p{s.prefill_tokens}n{s.decode_seqs}" for s in shapes],
            },
            schema_overrides=SAMPLE_COLUMNS,
        )
