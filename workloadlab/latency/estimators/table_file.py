"""Reads the coefficients of the table estimator from JSON, naming the one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators import linear
from workloadlab.latency.estimators.linear_table import CURVE_EDGES
from workloadlab.latency.step import KINDS

if TYPE_CHECKING:
    from workloadlab.fields import Fields

__all__ = ["AXES", "parse_coefficients"]

AXES = {"decode": (2, 3), "prefill": (0, 1), "mixed": (0, 1, 2, 3)}
"""Kind of step -> the axes of its grid: 0 chunk, 1 mean cached, 2 sequences, 3 mean context."""


def parse_coefficients(take: Fields) -> dict[str, Any]:
    """Read fallback, curve and grids from JSON."""
    tokens = take.numbers("curve_tokens", rising=True)
    for index, knot in enumerate(tokens):
        if knot not in CURVE_EDGES:
            raise take.wrong(f"curve_tokens[{index}]", knot)
    if not tokens:
        raise take.wrong("curve_tokens", tokens)
    coefficients: dict[str, Any] = {
        "fallback": linear.parse_coefficients(take.inside("fallback")),
        "curve_tokens": tokens,
        "curve_s": take.numbers("curve_s", count=len(tokens)),
        "grids": {},
    }
    take.only(coefficients)
    grids = take.inside("grids")
    grids.only(KINDS)
    for kind in grids.facts:
        grid = grids.inside(kind)
        grid.only(("nodes", "seconds"))
        nodes = grid("nodes", list)
        if len(nodes) != len(AXES[kind]):
            raise grid.wrong("nodes", nodes, f"write {len(AXES[kind])} axes")
        axes = [
            grid.checked(f"nodes[{index}]", axis, low=0.0, rising=True)
            for index, axis in enumerate(nodes)
        ]
        if any(len(axis) < 2 for axis in axes):
            raise grid.wrong("nodes", nodes, "write at least two nodes for every axis")
        seconds = grid.numbers("seconds", count=int(np.prod([len(axis) for axis in axes])))
        coefficients["grids"][kind] = {"nodes": axes, "seconds": seconds}
    return coefficients
