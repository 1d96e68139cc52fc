"""Rows of what a router saw and what the request then took, for `RequestModel`."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl

from workloadlab.errors import DataError, UsageError

__all__ = ["REQUEST_FEATURES", "REQUEST_TARGETS", "read_request_rows", "request_rows"]

REQUEST_FEATURES = (
    "input_tokens",
    "running",
    "waiting",
    "kv_usage",
    "cached_share",
    "prefill_tokens_in_flight",
    "decode_tokens_in_flight",
)
"""Facts that routers may see of a request and of the instance they consider: prompt length, requests
running and waiting there, share of its KV cache in use (0 to 1), share of the prompt that it has
cached (0 to 1), and tokens sent to it that are still to be prefilled or decoded."""

REQUEST_TARGETS = ("ttft_s", "tpot_s")
"""Predicted latencies; null where one was not recorded."""

_TRACE = {
    "input_tokens": "input_tokens",
    "running": "running_at_arrival",
    "waiting": "waiting_at_arrival",
    "kv_usage": "kv_usage_at_arrival",
}
_PREDICTOR = {  # the rows of llm-d's latency predictor
    "input_tokens": "input_token_length",
    "running": "num_request_running",
    "waiting": "num_request_waiting",
    "kv_usage": "kv_cache_percentage",
    "cached_share": "prefix_cache_score",
    "prefill_tokens_in_flight": "prefill_tokens_in_flight",
    "decode_tokens_in_flight": "decode_tokens_in_flight",
}


def read_request_rows(path: str | Path) -> pl.DataFrame:
    """Read rows from Parquet, or from JSON Lines, plain or gzipped; see `request_rows`.

    Raises:
        UsageError: no such file.
        DataError: unreadable, or what `request_rows` refuses.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError("no such file", where=str(path), fix="name Parquet or JSON Lines of rows")
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:
            raw = path.read_bytes()
            text = gzip.decompress(raw) if path.suffix == ".gz" else raw
            frame = pl.read_ndjson(text, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"cannot be read: {reason}", where=str(path)) from error
    return request_rows(frame, where=str(path))


def request_rows(frame: pl.DataFrame, *, where: str = "rows") -> pl.DataFrame:
    """Return the features and targets that a frame holds, in order and typed.

    The frame has columns named as here, or is a trace (with `running_at_arrival` and the like and
    `ttft_ns`, `e2e_ns`, `output_tokens`), or holds rows of llm-d's latency predictor (milliseconds;
    there 0 means that the row is about the other target). Nulls of features are refused.

    Raises:
        DataError: no feature, no target, or a value is missing, negative or not a number.
    """
    rows = frame.select(**_features(frame), **_targets(frame))
    features = [name for name in rows.columns if name in REQUEST_FEATURES]
    targets = [name for name in rows.columns if name in REQUEST_TARGETS]
    for names, kind in ((features, REQUEST_FEATURES), (targets, REQUEST_TARGETS)):
        if not names:
            problem = f"lacks the columns {', '.join(kind)}"
            raise DataError(problem, where=where, fix="give at least one of them")
    for name in rows.columns:
        values = rows[name]
        bad = ~(values.is_finite() & (values >= 0)) & values.is_not_null()
        bad = bad | values.is_null() if name in features else bad
        if bad.any():
            row = int(bad.arg_max() or 0)
            raise DataError(
                "is not a number of 0 or more",
                where=f"{where}: row {row + 1}, column {name}: {values[row]}",
                fix="drop the row or correct the value",
            )
    return rows


def _features(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    plain = {name: name for name in REQUEST_FEATURES}
    found: dict[str, pl.Expr] = {}
    for names in (plain, _PREDICTOR, _TRACE):
        for name, column in names.items():
            if column in frame.columns and name not in found:
                found[name] = pl.col(column).cast(pl.Float64)
    return {name: found[name] for name in REQUEST_FEATURES if name in found}


def _targets(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    columns = frame.columns
    found: dict[str, pl.Expr] = {}
    for name in REQUEST_TARGETS:
        milliseconds = f"actual_{name.removesuffix('_s')}_ms"
        if name in columns:
            found[name] = pl.col(name).cast(pl.Float64)
        elif milliseconds in columns:
            value = pl.col(milliseconds).cast(pl.Float64)
            found[name] = pl.when(value != 0).then(value / 1e3)
    if "ttft_ns" in columns and "ttft_s" not in found:
        found["ttft_s"] = pl.col("ttft_ns") / 1e9
    if {"ttft_ns", "e2e_ns", "output_tokens"} <= set(columns) and "tpot_s" not in found:
        later = pl.col("output_tokens").cast(pl.Int64) - 1
        decode_ns = pl.col("e2e_ns") - pl.col("ttft_ns")
        found["tpot_s"] = pl.when(later > 0).then(decode_ns / later / 1e9)
    return found
