"""Draws a trace from ServeGen's tables: who calls how often and how burstily, with what lengths."""

from __future__ import annotations

import ast
import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from support.traces import requests_at

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["drawn_trace"]

WINDOW_S = 600
"""The tables give one arrival process and one histogram of lengths for so long."""


def drawn_trace(folder: Path, begin_s: int, requests: int, seed: int = 0) -> Trace:
    """Return the first requests from a moment on, of the clients whose lengths are published.

    Args:
        folder: of one category, with `arrivals.parquet` and `chunk-N-dataset.json.gz`.
        begin_s: a multiple of 600 s, where the trace begins.
        requests: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    arrivals = pl.read_parquet(folder / "arrivals.parquet")
    clients = {
        int(path.name.split("-")[1]): _histograms(path)
        for path in sorted(folder.glob("chunk-*-dataset.json.gz"))
    }
    drawn: list[tuple[float, int, int, int]] = []
    at_s = begin_s
    while len(drawn) < requests:
        window = arrivals.filter(pl.col("window_start_s") == at_s, pl.col("pattern").is_not_null())
        for client, pattern, shape, scale in window.select(
            "client_id", "pattern", "param1", "param2"
        ).iter_rows():
            if client in clients:
                moments = at_s - begin_s + _moments(rng, pattern, shape, scale)
                lengths = _lengths(rng, clients[client], at_s, len(moments))
                drawn += [(t, *pair, client) for t, pair in zip(moments, lengths, strict=True)]
        at_s += WINDOW_S
    columns = np.array(sorted(drawn)[:requests])
    return requests_at(
        columns[:, 0], input_tokens=columns[:, 1].astype(int),
        output_tokens=columns[:, 2].astype(int),
        client_id=columns[:, 3].astype(int),
    )  # fmt: skip


def _moments(rng: np.random.Generator, pattern: str, shape: float, scale: float) -> Floats:
    """Return the arrivals of one window, by its process of gaps."""
    moments = np.zeros(0)
    while not len(moments) or moments[-1] < WINDOW_S:
        gaps = (
            rng.gamma(shape, scale, 1000)
            if pattern == "Gamma"
            else scale * rng.weibull(shape, 1000)
        )
        moments = np.append(moments, (moments[-1] if len(moments) else 0.0) + np.cumsum(gaps))
    return moments[moments < WINDOW_S]


def _histograms(path: Path) -> dict[int, dict[str, dict[int, float]]]:
    """Return by moment the shares of each length, of prompts and of outputs; idle windows left out."""
    with gzip.open(path) as lines:
        found = json.load(lines)
    parsed = {
        int(float(moment)): {name: ast.literal_eval(shares) for name, shares in fields.items()}
        for moment, fields in found.items()
    }
    return {moment: fields for moment, fields in sorted(parsed.items()) if fields["input_tokens"]}


def _lengths(
    rng: np.random.Generator, windows: dict[int, Any], at_s: int, count: int
) -> list[tuple[int, int]]:
    """Draw lengths from the last histogram at or before a moment, or from the first."""
    moment = max((begin for begin in windows if begin <= at_s), default=min(windows))
    drawn = []
    for name in ("input_tokens", "output_tokens"):
        lengths = np.array(list(windows[moment][name]), int)
        shares = np.array(list(windows[moment][name].values()))
        drawn.append(np.maximum(rng.choice(lengths, count, p=shares / shares.sum()), 1))
    return list(zip(*(column.tolist() for column in drawn), strict=True))
