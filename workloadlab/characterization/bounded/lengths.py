"""Token counts of one part: how often each occurs, by time, and input with output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.buckets import places_of
from workloadlab.characterization.bounded.kernels import SMALL, TOKEN_DIGITS, count_lengths
from workloadlab.characterization.bounded.picks import MOST, joined, picked, picked_of_halves
from workloadlab.characterization.bounded.reading import NULL, cut
from workloadlab.characterization.bounded.rules import (
    add,
    add_by_key,
    add_by_two_keys,
    grouped,
    summed,
    together,
)
from workloadlab.characterization.bounded.words import limbs
from workloadlab.characterization.statistics.bands import series_width_ns
from workloadlab.characterization.statistics.joint import HALF_OCTAVES, KENDALL_ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Part, Plan
    from workloadlab.characterization.bounded.reading import Rows

__all__ = ["RULES", "LengthTally", "step_ns"]

COLUMNS = ("length.input", "length.output")
DAY_NS = 86_400_000_000_000
STEPS = len(HALF_OCTAVES)

RULES = {
    "length.input": add_by_key,
    "length.output": add_by_key,
    "length.input.time": add_by_two_keys,
    "length.output.time": add_by_two_keys,
    "length.cells": add_by_key,
    "length.products": add,
    "length.input.halves": together,
    "length.output.halves": together,
    "length.pairs": together,
    "length.kendall": together,
    "length.reasoning": add_by_key,
    "length.ratios": add,
}
"""Quantity by quantity, how two parts' become one.

length.input: value, rows. length.input.time: step of time, bucket, rows, tokens. length.cells: pair of
half-octave bins, rows. length.products: input², output², input x output, and inputs, in four limbs each,
over rows with an output. length.pairs: place among the outputs, input, output. length.ratios: rows by
reasoning / output, and last the output tokens of rows that record both.
"""


def step_ns(span_ns: int) -> int:
    """Return the width of a step of time: that of the lengths' series, or a day for longer spans."""
    return series_width_ns(span_ns) or DAY_NS


class LengthTally:
    """Counts of the token counts of one part, as its rows come."""

    def __init__(self, plan: Plan, part: Part) -> None:
        self.plan = plan
        self.row, self.output = part.first_row, part.first_output
        self.step = step_ns(plan.span_ns)
        self.now = -1
        self.small = np.zeros((2, SMALL), np.int64)
        self.large: dict[int, dict[int, int]] = {0: {}, 1: {}}
        self.tables: dict[str, list[NDArray[np.int64]]] = {
            f"{name}{end}": [] for name in COLUMNS for end in ("", ".time")
        }
        self.steps = (np.searchsorted(HALF_OCTAVES, np.arange(SMALL), side="right") - 1).astype(
            np.int8
        )
        self.cells = np.zeros((STEPS, STEPS), np.int64)
        self.products = np.zeros((4, 2), np.uint64)
        self.picks: dict[str, list[NDArray[np.int64]]] = {
            "length.input.halves": [],
            "length.output.halves": [],
            "length.pairs": [],
            "length.kendall": [],
        }
        self.reasoning: dict[int, int] = {}
        self.ratios = np.zeros(11, np.int64)

    def take(self, rows: Rows) -> None:
        """Count measured rows, which come after all before."""
        inputs = rows.numbers["input_tokens"]
        outputs = rows.numbers.get("output_tokens")
        if outputs is None:
            outputs = np.full(len(rows), NULL)
        for step, here in cut(rows.numbers["arrival_ns"], self.plan.first_ns, self.step):
            self._begin(step)
            self._count(inputs[here], outputs[here])
        self._pick(inputs, outputs)
        if "reasoning_tokens" in rows.numbers:
            self._reason(rows.numbers["reasoning_tokens"], outputs)

    def _count(self, inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
        count_lengths(
            inputs, outputs, self.small[0], self.small[1], self.steps, self.cells, self.products
        )
        for which, values in enumerate((inputs, outputs)):
            large = np.flatnonzero(values >= SMALL)
            if len(large):
                found, counts = np.unique(values[large], return_counts=True)
                held = self.large[which]
                for value, n in zip(found.tolist(), counts.tolist(), strict=True):
                    held[value] = held.get(value, 0) + n
        large = np.flatnonzero(((inputs >= SMALL) | (outputs >= SMALL)) & (outputs != NULL))
        x, y = (
            np.searchsorted(HALF_OCTAVES, v[large], side="right") - 1 for v in (inputs, outputs)
        )
        np.add.at(self.cells, (x, y), 1)

    def _begin(self, step: int) -> None:
        if step != self.now:
            self._end()
            self.now = step

    def _end(self) -> None:
        """Note the counts of a step of time, and clear them."""
        for which, name in enumerate(COLUMNS):
            values = np.flatnonzero(self.small[which])
            table = np.column_stack((values, self.small[which, values]))
            self.small[which] = 0
            if self.large[which]:
                table = np.concatenate((table, np.array(sorted(self.large[which].items()))))
                self.large[which] = {}
            if len(table):
                places = places_of(table[:, 0], TOKEN_DIGITS)
                steps = np.full(len(table), self.now)
                tokens = table[:, 0] * table[:, 1]
                timed = np.column_stack((steps, places, table[:, 1], tokens))
                self.tables[name].append(table)
                self.tables[f"{name}.time"].append(summed(timed, 2))

    def _pick(self, inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
        plan, here = self.plan, self.row
        which = picked_of_halves(plan.requests, here, here + len(inputs))
        self.picks["length.input.halves"].append(np.column_stack((which, inputs[which - here])))
        self.row += len(inputs)
        recorded = outputs != NULL
        if not recorded.all():
            inputs, outputs = inputs[recorded], outputs[recorded]
        here, n = self.output, plan.outputs
        which = picked_of_halves(n, here, here + len(outputs))
        self.picks["length.output.halves"].append(np.column_stack((which, outputs[which - here])))
        for name, most in (("length.pairs", MOST), ("length.kendall", KENDALL_ROWS)):
            which = picked(n, here, here + len(outputs), most)
            local = which - here
            self.picks[name].append(np.column_stack((which, inputs[local], outputs[local])))
        self.output += len(outputs)

    def _reason(self, reasoning: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
        both = (reasoning != NULL) & (outputs != NULL)
        thought, output = reasoning[both], outputs[both]
        found, counts = np.unique(thought, return_counts=True)
        for value, n in zip(found.tolist(), counts.tolist(), strict=True):
            self.reasoning[value] = self.reasoning.get(value, 0) + n
        said = output > 0
        ratios = np.clip(thought[said] / output[said], 0.0, 1.0)
        self.ratios[:10] += np.histogram(ratios, bins=10, range=(0, 1))[0]
        self.ratios[10] += int(output.sum())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""
        self._end()
        occupied = np.flatnonzero(self.cells)
        tables = {}
        for name in COLUMNS:
            values = joined(self.tables[name], 2)
            tables[name] = grouped(values, 1) if len(values) else values
            tables[f"{name}.time"] = joined(self.tables[f"{name}.time"], 4)
        picks = {
            name: joined(kept, 2 if "halves" in name else 3) for name, kept in self.picks.items()
        }
        return {
            **tables,
            **picks,
            "length.cells": np.column_stack((occupied, self.cells.ravel()[occupied])),
            "length.products": limbs(self.products),
            "length.reasoning": np.array(sorted(self.reasoning.items()), np.int64).reshape(-1, 2),
            "length.ratios": self.ratios,
        }
