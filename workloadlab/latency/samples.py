"""The step table: one row per engine step with its measured duration, what models are fitted on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl

from workloadlab.digests import BLANK, FILE_DIGEST, check_file, fill_blank
from workloadlab.errors import DataError, UsageError
from workloadlab.latency.hardware.geometry import ModelGeometry
from workloadlab.latency.hardware.gpus import find_gpu
from workloadlab.latency.hardware.limits import least_step_s
from workloadlab.latency.step import FEATURES
from workloadlab.trace import write_atomically
from workloadlab.trace.store import FOOTER_KEY, READ_ERRORS
from workloadlab.words import plural, three

__all__ = ["SAMPLE_COLUMNS", "check_samples", "read_samples", "write_samples"]

SAMPLE_COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys(FEATURES, pl.Int64()),
    "latency_ns": pl.Int64(),
    "gpu": pl.String(),
    "model": pl.String(),
    "tp": pl.Int64(),
    "group": pl.String(),
}
"""Columns of the step table; all but `group` are required.

`prefill_tokens`: prompt tokens computed in the step, summed over its chunks.
`prefill_context_tokens`: sum over the chunks of chunk tokens x tokens of that request already
cached (a product: tokens squared).
`decode_seqs`: sequences that decode in the step.
`decode_context_tokens`: sum over the decoding sequences of tokens already cached.
`latency_ns`: duration of the step.
`group`: rows of one group are never split between fitting and held-out rows.
"""

_PLAUSIBLE_NS = (50_000, 100_000_000_000)
# Measured steps over the bound of 4-bit weights: 4 to 100 with bf16, more for tiny models.
_USUAL, _TOO_SLOW, _WRONG_UNIT, _TOLERANCE = 8, 3_000, 0.1, 0.8
_UNITS = (("seconds", 1_000_000_000), ("milliseconds", 1_000_000), ("microseconds", 1_000))


def read_samples(path: str | Path) -> pl.DataFrame:
    """Read a step table from Parquet or CSV and check it.

    Raises:
        UsageError: no such file, or a folder.
        DataError: unreadable, damaged since `write_samples` wrote it, or what `check_samples` refuses.
    """
    path = Path(path)
    if not path.is_file():
        reason = "is a folder" if path.is_dir() else "no such file"
        raise UsageError(reason, where=str(path), fix="name a Parquet or CSV file of steps")
    try:
        if not _is_csv(path):
            _check_digest(path)
        frame = (
            pl.read_csv(path, infer_schema_length=None) if _is_csv(path) else pl.read_parquet(path)
        )
    except READ_ERRORS as error:
        kind = "CSV" if _is_csv(path) else "Parquet"
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"cannot be read as {kind}: {reason}", where=str(path)) from error
    return check_samples(frame, where=str(path))


def write_samples(frame: pl.DataFrame, path: str | Path) -> None:
    """Check a step table and write it atomically, as CSV if the name says so, else as Parquet."""
    path = Path(path)
    table = check_samples(frame)
    with write_atomically(path) as temporary:
        if _is_csv(path):
            table.write_csv(temporary)
        else:
            table.write_parquet(temporary, metadata={FOOTER_KEY: json.dumps({FILE_DIGEST: BLANK})})
            fill_blank(temporary)


def _check_digest(path: Path) -> None:
    """Refuse a Parquet file that is not what its own footer says; one without a digest is another's."""
    facts = json.loads(pl.read_parquet_metadata(path).get(FOOTER_KEY, "{}"))
    if FILE_DIGEST in facts:
        check_file(path, str(facts[FILE_DIGEST]))


def check_samples(frame: pl.DataFrame, *, where: str = "samples") -> pl.DataFrame:
    """Return the step table with its columns in order and typed, or say what is wrong with it.

    Example:
        >>> check_samples(pl.DataFrame({
        ...     "prefill_tokens": [0, 512], "prefill_context_tokens": [0, 0], "decode_seqs": [8, 0],
        ...     "decode_context_tokens": [4000, 0], "latency_ns": [12_000_000, 21_000_000],
        ...     "gpu": ["a100"] * 2, "model": ["m"] * 2, "tp": [1, 1]})).shape
        (2, 8)

    Raises:
        DataError: a column is missing; a value is missing, negative, not whole or contradicts
            another one; fewer than two rows; more than one GPU, model or tp; latencies that look
            like another unit, or of a known GPU and model that no hardware can reach
            (`least_step_s`, with weights of 4 bits). Rows are counted from 1.
    """
    missing = [name for name in SAMPLE_COLUMNS if name != "group" and name not in frame.columns]
    if missing:
        raise DataError(
            f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            where=where,
            fix=f"a step table has {', '.join(n for n in SAMPLE_COLUMNS if n != 'group')}",
        )
    if frame.height < 2:
        raise DataError(
            f"has {plural(frame.height, 'row')}; a fit needs at least two steps",
            where=where,
            fix="measure more steps",
        )
    present = [name for name in SAMPLE_COLUMNS if name in frame.columns]
    table = frame.select(_typed(frame[name], where) for name in present)
    _check_values(table, where)
    for name in ("gpu", "model", "tp"):
        values = table[name].unique().sort().to_list()
        if len(values) > 1:
            raise DataError(
                f"mixes {len(values)} values of {name}: {', '.join(map(str, values[:5]))}",
                where=where,
                fix=f"filter to one {name} and fit each on its own",
            )
    if not _check_against_hardware(table, where):
        _check_unit(table["latency_ns"], where)
    return table


def _is_csv(path: Path) -> bool:
    return path.name.endswith((".csv", ".csv.gz"))


def _cell(where: str, column: pl.Series, bad: pl.Series) -> str:
    """Name the first bad cell, counting rows from 1."""
    row = int(bad.arg_max() or 0)
    return f"{where}: row {row + 1}, column {column.name}: {column[row]}"


def _typed(column: pl.Series, where: str) -> pl.Series:
    dtype = SAMPLE_COLUMNS[column.name]
    if column.null_count() or (column.dtype.is_float() and column.is_nan().any()):
        holes = column.is_null() | (column.is_nan() if column.dtype.is_float() else False)
        raise DataError(
            "is missing", where=_cell(where, column, holes), fix="drop the row or fill the value"
        )
    if dtype == pl.String() or column.dtype.is_integer():
        return column.cast(dtype)
    if not column.dtype.is_float():
        text = column.cast(pl.String(), strict=False).cast(pl.Float64(), strict=False).is_null()
        raise DataError(
            "is not a number", where=_cell(where, column, text), fix="write whole numbers"
        )
    uneven = (column != column.floor()) | column.is_infinite()
    if uneven.any():
        unit = "; latency_ns is in nanoseconds" if column.name == "latency_ns" else ""
        raise DataError(
            "is not whole", where=_cell(where, column, uneven), fix=f"write whole numbers{unit}"
        )
    return column.cast(dtype)


def _check_values(table: pl.DataFrame, where: str) -> None:
    prefill, context = pl.col("prefill_tokens"), pl.col("prefill_context_tokens")
    seqs, decode_context = pl.col("decode_seqs"), pl.col("decode_context_tokens")
    rules = [(name, pl.col(name) < 0, "is negative", "drop the row") for name in FEATURES]
    rules += [
        ("latency_ns", pl.col("latency_ns") <= 0, "is not positive", "drop the row"),
        ("tp", pl.col("tp") < 1, "is not a number of GPUs", "write 1 or more"),
        (
            "prefill_tokens",
            (prefill == 0) & (seqs == 0),
            "the step holds no work: prefill_tokens and decode_seqs are both 0",
            "drop the row",
        ),
        (
            "prefill_context_tokens",
            (prefill == 0) & (context > 0),
            "is cached context of a prefill in a step without prefill_tokens",
            "set it to 0 or give the chunk's tokens",
        ),
        (
            "decode_context_tokens",
            (seqs == 0) & (decode_context > 0),
            "is cached context of decodes in a step without decode_seqs",
            "set it to 0 or give the number of decoding sequences",
        ),
    ]
    for name, broken, problem, fix in rules:
        marks = table.select(broken.alias("broken"))["broken"]
        if marks.any():
            raise DataError(problem, where=_cell(where, table[name], marks), fix=fix)


def _check_against_hardware(table: pl.DataFrame, where: str) -> bool:
    """Compare with the roofline of the fastest dtype; False if GPU or model is not known."""
    gpu, model, tp = table.select("gpu", "model", "tp").row(0)
    try:
        figures, geometry = find_gpu(gpu), ModelGeometry.named(model)
    except UsageError:
        return False
    features = table.select(FEATURES).to_numpy().astype(np.float64)
    bound_ns = least_step_s(geometry, figures, features, dtype="fp4", tp=tp) * 1e9
    latency_ns = table["latency_ns"].to_numpy()
    ratio = latency_ns / bound_ns
    typical = float(np.median(ratio))
    least = f"{figures.name} needs at least {np.median(bound_ns):,.0f} ns for the median step"
    found = f"the median step takes {np.median(latency_ns):,.0f} ns"
    place = f"{where}: column latency_ns"
    if typical < 1:
        unit, factor = min(_UNITS, key=lambda item: abs(math.log(typical * item[1] / _USUAL)))
        fix = f"write nanoseconds; the values look like {unit}: multiply by {factor:,}"
        if typical > _WRONG_UNIT:
            fix = "check gpu, model and tp, and that latency_ns is in nanoseconds"
        raise DataError(f"{found}, and {least}", where=place, fix=fix)
    if typical > _TOO_SLOW:
        fix = "write nanoseconds; the values look like picoseconds: divide by 1,000"
        raise DataError(
            f"{found}, {three(typical)} times the least that {figures.name} needs",
            where=place,
            fix=fix,
        )
    too_fast = pl.Series(ratio < _TOLERANCE)
    if too_fast.any():
        row = int(too_fast.arg_max() or 0)
        raise DataError(
            f"is faster than {figures.name} can be: at least {bound_ns[row]:,.0f} ns",
            where=_cell(where, table["latency_ns"], too_fast),
            fix="drop the row or correct its unit",
        )
    return True


def _check_unit(latency: pl.Series, where: str) -> None:
    median = latency.median()
    typical = float(median) if isinstance(median, int | float) else 0.0
    low, high = _PLAUSIBLE_NS
    if low <= typical <= high:
        return
    # The unit that brings the median nearest to a usual step, 10 ms.
    unit, factor = min(_UNITS, key=lambda item: abs(math.log(typical * item[1] / 1e7)))
    guess = f"; the values look like {unit}: multiply by {factor:,}" if typical < low else ""
    raise DataError(
        f"the median step takes {typical:,.0f} ns, outside {low:,} to {high:,} ns",
        where=f"{where}: column latency_ns",
        fix=f"write nanoseconds{guess}",
    )
