"""Traces: requests at given moments, at even distances, at random, or with given prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.trace import Provenance, Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "poisson_ns",
    "prompts_of",
    "random_requests",
    "requests_at",
    "requests_at_ns",
    "requests_every",
]

SECOND_NS = 1_000_000_000


def requests_at_ns(
    arrival_ns: Sequence[int] | np.ndarray, *, provenance: Provenance | None = None, **columns: Any
) -> Trace:
    """Return a trace of one request at each moment, in nanoseconds.

    Args:
        arrival_ns: when each arrives.
        provenance: where the trace is said to come from.
        **columns: further columns; one value holds for every row, None leaves a column out.
            Prompts have 100 tokens and answers 10, unless they are given.

    Example:
        >>> requests_at_ns([0, 5], input_tokens=[7, 8]).read("input_tokens", "output_tokens").rows()
        [(7, 10), (8, 10)]
    """
    rows = len(arrival_ns)
    given = {"input_tokens": 100, "output_tokens": 10} | columns
    frame = pl.DataFrame(
        {"arrival_ns": arrival_ns}
        | {name: _repeated(values, rows) for name, values in given.items() if values is not None},
        schema_overrides={"arrival_ns": pl.Int64},
        strict=False,
    )
    if not rows:
        frame = frame.with_columns(pl.col(pl.Null).cast(pl.UInt32))
    return Trace.from_frame(frame, provenance=provenance)


def requests_at(arrival_s: Iterable[float], **options: Any) -> Trace:
    """Return a trace of one request at each moment, in seconds; see `requests_at_ns`.

    Example:
        >>> requests_at([0, 0.5], output_tokens=None).read("arrival_ns")["arrival_ns"].to_list()
        [0, 500000000]
    """
    return requests_at_ns([round(moment * SECOND_NS) for moment in arrival_s], **options)


def requests_every(gap_s: float, count: int, **options: Any) -> Trace:
    """Return a trace of requests at even distances; see `requests_at_ns`.

    Example:
        >>> requests_every(0.1, 3).read("arrival_ns")["arrival_ns"].to_list()
        [0, 100000000, 200000000]
    """
    return requests_at([gap_s * row for row in range(count)], **options)


def poisson_ns(rng: np.random.Generator, rate_rps: float, count: int) -> np.ndarray:
    """Return moments of a Poisson process, in nanoseconds."""
    return np.cumsum(rng.exponential(SECOND_NS / rate_rps, count)).astype(np.int64)


def random_requests(
    seed: int, count: int, *, within_s: float, inputs: int, outputs: int, **columns: Any
) -> Trace:
    """Return requests at uniform moments, with prompts and answers of any length below a bound."""
    rng = np.random.default_rng(seed)
    return requests_at_ns(
        np.sort(rng.integers(0, round(within_s * SECOND_NS), count)),
        input_tokens=rng.integers(1, inputs, count),
        output_tokens=rng.integers(1, outputs, count),
        **columns,
    )


def prompts_of(*chains: Sequence[int], block_size: int = 16, **columns: Any) -> Trace:
    """Return prompts of given blocks and one token more, ten seconds apart, each with one answer.

    Example:
        >>> prompts_of([7, 8], [7]).read("input_tokens")["input_tokens"].to_list()
        [33, 17]
    """
    given = {"input_tokens": [block_size * len(chain) + 1 for chain in chains], "output_tokens": 1}
    return requests_every(
        10, len(chains), **given | columns, block_ids=list(chains), block_size=block_size
    )


def _repeated(values: Any, rows: int) -> Any:
    return [values] * rows if isinstance(values, str | int | float) else values
