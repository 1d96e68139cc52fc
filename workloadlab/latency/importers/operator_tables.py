"""Step times composed from kernel times of one decoder layer, in the layout of LLMServingSim.

A folder `perf/GPU/MODEL/DTYPE/tpN` holds times in microseconds, measured with vLLM on one GPU of the
tensor-parallel group: `dense.csv` by tokens, `per_sequence.csv` by sequences, `attention.csv` by
(prefill_chunk, kv_prefill, n_decode, kv_decode), and for a mixture of experts `moe.csv` by
(tokens, activated_experts).

    step = layers x (dense operators at T + attention) + once-per-step operators at T
           + lm_head and sampler at the number of sequences,     T = prefill + decode tokens

Between profiled points everything is linear; below the smallest profiled chunk or context attention
costs what it costs there. The experts that T tokens touch are counted as if routed evenly,
E (1 - (1 - k/E)^T). Collectives between tensor-parallel GPUs are not in the tables: two all-reduces
per layer and the gathering of the logits are added from another measurement or from the GPU's link.
CPU time between kernels is not in the steps.

Expert-parallel ranks (data-parallel attention, experts shared out) step together, each padded to the
tokens of the fullest, as vLLM pads them: of R ranks each runs E/R experts on R T tokens, between an
all-gather and a reduce-scatter of the hidden states. Beyond the profiled tokens experts cost what the
last two profiled counts say a token costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.latency.hardware.collectives import Exchanges, expert_parallel, tensor_parallel
from workloadlab.latency.hardware.links import UNKNOWN, GivenLink
from workloadlab.latency.importers.selection import geometry_of
from workloadlab.latency.step import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.latency.hardware.geometry import ModelGeometry

__all__ = ["AXES", "SHAPE", "OperatorTables", "table_file"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

SHAPE = ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode")
"""The axes of attention; a step is a row of them."""

AXES = {"decode": SHAPE[2:], "prefill": SHAPE[:2], "mixed": SHAPE}
"""Kind of step, in the order of `KINDS`, -> the axes its attention depends on."""

# Operator -> how often it runs: in one layer, in one step.
_ATTENTION_BLOCK = {"layernorm": 2, "qkv_proj": 1, "rotary_emb": 1, "o_proj": 1}
_FEED_FORWARD = {"gate_up_proj": 1, "act_fn": 1, "down_proj": 1}
_OPTIONAL = {"qk_norm": 1}
_PER_STEP = {"embedding": 1, "final_layernorm": 1}
_PER_SEQUENCE = {"lm_head": 1, "sampler": 1}
_MICROSECOND = 1_000  # ns


@dataclass(frozen=True)
class OperatorTables:
    """The tables of one folder, ready to be interpolated. Times in microseconds.

    Attributes:
        geometry: the model's shape.
        tp: tensor-parallel degree that was profiled.
        ranks: number of those that share the experts; 1 if every GPU has its part of all.
        facts: scalars of `meta.yaml`.
        tokens: profiled token counts.
        dense_us: all dense operators of one layer at `tokens`.
        layer_us: those and the experts.
        step_us: operators that run once per step, at `tokens`.
        sequences: profiled sequence counts.
        sequence_us: lm_head and sampler at `sequences`.
        attention: one layer's attention by kind of step: a scipy interpolator of rows of its axes.
        exchanges: between the GPUs; None on one GPU, or if nothing is known of their link.
    """

    geometry: ModelGeometry
    tp: int
    ranks: int
    facts: dict[str, str]
    tokens: Floats
    dense_us: Floats
    layer_us: Floats
    step_us: Floats
    sequences: Floats
    sequence_us: Floats
    attention: dict[str, Any]
    exchanges: Exchanges | None = None

    @classmethod
    def read(cls, folder: Path, *, ranks: int = 1, link: GivenLink = UNKNOWN) -> OperatorTables:
        """Read a folder `tpN`.

        The layer count comes from a `config.json` in the folder or up to two above it, else from
        the built-in shapes.

        Raises:
            UsageError: an unknown model, or experts that so many ranks cannot share.
            DataError: a table lacks a column, a value, a profiled shape or an operator.
        """
        facts = _meta(folder)
        geometry = geometry_of(folder, facts["model"])
        tp = int(folder.name.removeprefix("tp"))
        _check_ranks(folder, geometry, tp, ranks)
        dense = _read(folder, "dense", ("layer", "tokens"))
        per_layer = _ATTENTION_BLOCK | ({} if geometry.experts else _FEED_FORWARD)
        per_layer |= {name: n for name, n in _OPTIONAL.items() if name in dense["layer"]}
        _check_operators(dense, (*per_layer, *_PER_STEP), folder)
        tokens, dense_us = _summed(dense, "tokens", per_layer)
        layer_us = dense_us
        step_us = _summed(dense, "tokens", _PER_STEP)[1]
        if geometry.experts:
            layer_us = dense_us + _experts_us(folder, geometry, tokens, ranks)
        by_sequence = _read(folder, "per_sequence", ("layer", "sequences"))
        _check_operators(by_sequence, tuple(_PER_SEQUENCE), folder)
        sequences, sequence_us = _summed(by_sequence, "sequences", _PER_SEQUENCE)
        return cls(
            geometry=geometry,
            tp=tp,
            ranks=ranks,
            facts=facts,
            tokens=tokens,
            dense_us=dense_us,
            layer_us=layer_us,
            step_us=step_us,
            sequences=sequences,
            sequence_us=sequence_us,
            attention=_attention(_read(folder, "attention", SHAPE), folder),
            exchanges=_exchanges(folder, facts["hardware"], tp, ranks, link),
        )

    def step_ns(self, steps: Floats) -> Floats:
        """Nanoseconds of steps given as rows of (chunk, cached, decode_seqs, kv per sequence)."""
        chunk, _, seqs, _ = steps.T
        total = chunk + seqs
        kinds = kind_of(steps)
        attention = np.zeros(len(steps))
        for index, (kind, axes) in enumerate(AXES.items()):
            mask = kinds == index
            interpolator = self.attention[kind]
            smallest = [values[0] for values in interpolator.grid]
            shapes = steps[mask][:, [SHAPE.index(axis) for axis in axes]]
            attention[mask] = interpolator(np.maximum(shapes, smallest))
        layer = np.interp(total, self.tokens, self.layer_us) + attention
        once = np.interp(total, self.tokens, self.step_us)
        sampled = seqs + (chunk > 0)
        head = np.interp(sampled, self.sequences, self.sequence_us)
        if self.exchanges:
            once = once + self.exchanges.step_us(self.geometry, total, sampled)
        step: Floats = (self.geometry.layers * layer + once + head) * _MICROSECOND
        return step


def table_file(folder: Path, table: str) -> Path | None:
    """Return the CSV of a table, plain or gzipped, if it is there."""
    candidates = (folder / f"{table}.csv", folder / f"{table}.csv.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read(folder: Path, table: str, keys: tuple[str, ...]) -> pl.DataFrame:
    path = table_file(folder, table)
    if path is None:
        raise DataError(f"lacks {table}.csv", where=str(folder), fix="profile the model again")
    try:
        frame = pl.read_csv(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from error
    missing = [name for name in (*keys, "time_us") if name not in frame.columns]
    if missing:
        raise DataError(
            f"lacks the columns {', '.join(missing)}",
            where=str(path),
            fix="only the layout with prefill_chunk, kv_prefill, n_decode, kv_decode is read",
        )
    frame = frame.select(*keys, pl.col("time_us").cast(pl.Float64, strict=False)).sort(keys)
    times = frame["time_us"]
    bad = ~((times > 0) & times.is_finite()).fill_null(value=False)
    if bad.any():
        row = frame.row(int(bad.arg_max() or 0), named=True)
        raise DataError("time_us is not a positive number", where=f"{path}: {row}")
    return frame


def _check_operators(table: pl.DataFrame, expected: tuple[str, ...], folder: Path) -> None:
    present = set(table["layer"].unique())
    for name in sorted(present.symmetric_difference(expected)):
        if name in present:
            problem = f"holds the operator {name}, and how often a step runs it is unknown"
            raise DataError(problem, where=str(folder), fix=f"keep {', '.join(expected)}")
        raise DataError(f"lacks the operator {name}", where=str(folder), fix="profile it")


def _summed(table: pl.DataFrame, axis: str, counts: dict[str, int]) -> tuple[Floats, Floats]:
    """Sum count x time over the operators at every profiled point of `axis`."""
    points = table[axis].unique().sort().to_numpy().astype(np.float64)
    total = np.zeros(len(points))
    for operator, count in counts.items():
        rows = table.filter(pl.col("layer") == operator)
        total += count * np.interp(points, rows[axis], rows["time_us"])
    return points, total


def _check_ranks(folder: Path, geometry: ModelGeometry, tp: int, ranks: int) -> None:
    if ranks == 1:
        return
    if tp > 1:
        problem, fix = f"expert parallel over tp = {tp} is not composed", "name the folder tp1"
    elif ranks < 1 or geometry.experts == 0 or geometry.experts % ranks:
        problem = f"{ranks} ranks cannot share the {geometry.experts} experts of {geometry.model}"
        fix = "give a divisor of the number of experts" if geometry.experts else "leave it out"
    else:
        return
    raise UsageError(problem, where=str(folder), fix=fix)


def _experts_us(folder: Path, geometry: ModelGeometry, tokens: Floats, ranks: int) -> Floats:
    """One layer's experts of one rank, at `tokens` of each rank, routed evenly."""
    moe = _read(folder, "moe", ("tokens", "activated_experts"))
    share = geometry.experts_per_token / geometry.experts
    profiled = moe["tokens"].unique().sort().to_numpy().astype(np.float64)
    times = np.empty(len(profiled))
    for index, count in enumerate(profiled):
        rows = moe.filter(pl.col("tokens") == count)
        touched = geometry.experts / ranks * (1.0 - (1.0 - share) ** count)
        times[index] = np.interp(touched, rows["activated_experts"], rows["time_us"])
    beyond = np.maximum(0.0, ranks * tokens - profiled[-1])
    slope = (times[-1] - times[-2]) / (profiled[-1] - profiled[-2])
    experts: Floats = np.interp(ranks * tokens, profiled, times) + slope * beyond
    return experts


def _attention(table: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Multilinear interpolation on the doubling grid that every table of this profiler has."""
    from scipy.interpolate import RegularGridInterpolator

    chunk, seqs = pl.col("prefill_chunk") > 0, pl.col("n_decode") > 0
    masks = {"decode": ~chunk & seqs, "prefill": chunk & ~seqs, "mixed": chunk & seqs}
    interpolators = {}
    for kind, names in AXES.items():
        doubling = [(pl.col(name) & (pl.col(name) - 1)) == 0 for name in names]
        rows = table.filter(masks[kind], *doubling)
        grid = [rows[name].unique().sort().to_numpy().astype(np.float64) for name in names]
        sizes = [len(axis) for axis in grid]
        if rows.height != np.prod(sizes) or min(sizes) < 2:
            raise DataError(
                f"attention.csv has {rows.height} of {np.prod(sizes)} {kind} shapes of its grid",
                where=str(folder),
                fix="profile every combination of powers of two along each axis",
            )
        times = rows.sort(names)["time_us"].to_numpy().reshape(sizes)
        interpolators[kind] = RegularGridInterpolator(grid, times, method="linear")
    return interpolators


def _meta(folder: Path) -> dict[str, str]:
    """Scalars of the nearest meta.yaml; of a repeated key the first."""
    places = (place / "meta.yaml" for place in (folder, *folder.parents[:2]))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataError("has no meta.yaml in or above it", where=str(folder))
    facts: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, colon, value = line.strip().partition(":")
        if colon and value.strip():
            facts.setdefault(key, value.strip().strip("'\""))
    for needed in ("hardware", "model", "variant"):
        if needed not in facts:
            raise DataError(f"lacks the key {needed}", where=str(path))
    return facts


def _exchanges(folder: Path, gpu: str, tp: int, ranks: int, link: GivenLink) -> Exchanges | None:
    try:
        if ranks > 1:
            return expert_parallel(gpu, ranks, link)
        return tensor_parallel(folder, gpu, tp, link) if tp > 1 else None
    except UsageError:  # a GPU without published figures
        return None
