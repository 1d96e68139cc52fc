"""The table estimator: a curve of total tokens plus attention looked up in log-spaced grids.

    step = curve(T) + attention(decode: n, c/n | prefill: p, x/p | mixed: p, x/p, n, c/n),   T = p + n

Nodes are log-spaced and values between them multilinear, in tokens and not in their logarithms,
because bytes and products are. The values are the linear estimator's plus a correction, smooth from
node to node, fitted on relative errors by sparse least squares. A node that no step lies near keeps
the linear value. Then curve and grids are made monotone. Beyond a grid's last node the step
costs its time at the edge plus the linear estimate of the way from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.latency.estimators import linear
from workloadlab.latency.estimators.estimator import Estimator
from workloadlab.latency.estimators.linear_table import CURVE_EDGES, TABLE_CELLS, with_curve
from workloadlab.latency.estimators.table_file import AXES, parse_coefficients
from workloadlab.latency.step import KINDS, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["AXES", "ESTIMATOR", "coordinates", "fit_coefficients", "parse_coefficients", "steps_at"]

Array = np.ndarray[Any, np.dtype[Any]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

_LEAST = (1.0, 0.0, 1.0, 0.0)
_MOST_NODES = 16_384
_MOST_KNOTS = 160
_SMOOTH = 0.12
_RIDGE = 0.005
_FALL = 3.0
_PASSES = 4
_CONVERGED = 1e-3  # beyond, held-out errors grow again
_ITERATIONS = 100


def fit_coefficients(features: Floats, seconds: Floats) -> dict[str, Any]:
    """Fit curve and grids on relative errors, decode, prefill and mixed steps weighing the same.

    Args:
        features: (rows, 4): prefill_tokens, prefill_context_tokens, decode_seqs,
            decode_context_tokens.
        seconds: (rows,) measured durations.

    Returns:
        `fallback`, the linear coefficients; `curve_tokens` and `curve_s`, seconds to add to their
        curve of total tokens; `grids`: kind -> nodes of each axis and seconds in C order.
    """
    fallback = linear.fit_coefficients(features, seconds)
    base = linear.kernel_table(fallback)
    kinds = kind_of(features)
    grids = {kind: _nodes(features[kinds == i], AXES[kind]) for i, kind in enumerate(KINDS)}
    grids = {kind: nodes for kind, nodes in grids.items() if nodes}
    knots = _knots(features[:, 0] + features[:, 2])
    curve, values = _solve(features, seconds, base, knots, grids)
    return {
        "fallback": fallback,
        "curve_tokens": [float(knot) for knot in knots],
        "curve_s": _rounded(curve),
        "grids": {
            kind: {"nodes": [axis.tolist() for axis in nodes], "seconds": _rounded(values[kind])}
            for kind, nodes in grids.items()
        },
    }


def coordinates(features: Floats) -> Floats:
    """Rows of (p, x, n, c) to rows of (p, x/p, n, c/n)."""
    p, x, n, c = features.T
    mean_cached = np.divide(x, p, out=np.zeros_like(x), where=p > 0)
    mean_context = np.divide(c, n, out=np.zeros_like(c), where=n > 0)
    return np.column_stack([p, mean_cached, n, mean_context])


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.6e}") for value in values.ravel()]


def _thinned(values: Floats, ratio: float) -> Floats:
    """Of sorted values keep the first, the last, and between them steps of at least `ratio`."""
    kept = [float(values[0])]
    for value in values[1:]:
        if value >= kept[-1] * ratio and value >= kept[-1] + 1:
            kept.append(float(value))
    last = float(values[-1])
    if kept[-1] < last:
        kept = [*kept[: max(1, len(kept) - (last < kept[-1] * ratio))], last]
    return np.array(kept if len(kept) > 1 else [kept[0], kept[0] + 1.0])


def _nodes(features: Floats, axes: tuple[int, ...]) -> list[Floats]:
    """Nodes of each axis: the least possible and those seen, thinned until the grid is small."""
    if not len(features):
        return []
    points = np.rint(coordinates(features))
    seen = [np.union1d(points[:, axis], [_LEAST[axis]]) for axis in axes]
    most = min(_MOST_NODES, 4 * len(features) + 16)
    ratio = 1.19
    nodes = [_thinned(values, ratio) for values in seen]
    while np.prod([len(axis) for axis in nodes]) > most and ratio < 1e6:
        ratio *= 1.1
        nodes = [_thinned(values, ratio) for values in seen]
    return nodes


def _knots(total: Floats) -> Floats:
    """Edges of the curve's buckets (`CURVE_EDGES`) next to a total that was seen."""
    edges = np.array(CURVE_EDGES, float)
    after = np.minimum(np.searchsorted(edges, np.unique(total)), len(edges) - 1)
    seen = edges[np.unique(np.concatenate([after, np.maximum(after - 1, 0)]))]
    ratio = 1.0
    knots = _thinned(seen, ratio)
    while len(knots) > _MOST_KNOTS:
        ratio += 0.01
        knots = _thinned(seen, ratio)
    return np.unique(edges[np.minimum(np.searchsorted(edges, knots), len(edges) - 1)])


def _weights(points: Floats, nodes: list[Floats]) -> tuple[Array, Floats]:
    """Corner indices and multilinear weights of each point, (rows, 2 ** axes) both."""
    sizes = [len(axis) for axis in nodes]
    strides = [int(np.prod(sizes[i + 1 :])) for i in range(len(sizes))]
    index = np.zeros((len(points), 1), np.int64)
    weight = np.ones((len(points), 1))
    for values, axis, stride in zip(points.T, nodes, strides, strict=True):
        at = np.clip(np.searchsorted(axis, values, side="right") - 1, 0, len(axis) - 2)
        part = np.clip((values - axis[at]) / (axis[at + 1] - axis[at]), 0.0, 1.0)[:, None]
        low = index + (at * stride)[:, None]
        index = np.hstack([low, low + stride])
        weight = np.hstack([weight * (1 - part), weight * part])
    return index, weight


def steps_at(nodes: list[Floats], axes: tuple[int, ...]) -> Floats:
    """Rows of (p, x, n, c) at every node."""
    rows = np.zeros((int(np.prod([len(axis) for axis in nodes])), 4))
    for axis, values in zip(axes, np.meshgrid(*nodes, indexing="ij"), strict=True):
        rows[:, axis] = values.ravel()
    rows[:, 1] *= rows[:, 0]
    rows[:, 3] *= rows[:, 2]
    return rows


def _solve(
    features: Floats,
    seconds: Floats,
    base: Floats,
    knots: Floats,
    grids: dict[str, list[Floats]],
) -> tuple[Floats, dict[str, Floats]]:
    """Correct the linear estimator's curve at `knots` and its attention at the nodes.

    The unknowns are ratios of a correction to the linear step time there, since such ratios change
    slowly from node to node on a log scale. Minimises squared relative errors plus _SMOOTH^2 times
    the squared second differences of the ratios along every axis plus _RIDGE^2 times their squares.
    Where the solution falls along an axis, that fall is penalised and the system solved again.
    """
    from scipy import sparse
    from scipy.sparse.linalg import cg

    from workloadlab.latency.estimators import linear_kernel
    from workloadlab.latency.estimators.evaluate import evaluate

    kinds, total = kind_of(features), features[:, 0] + features[:, 2]
    row_weight = np.sqrt(len(seconds) / np.bincount(kinds, minlength=3)[kinds]) / seconds
    points = coordinates(features)
    residual = seconds - linear_kernel.curve(total, base)
    physics = [linear_kernel.curve(knots, base)]
    scales = [np.maximum(physics[0], seconds.min())]
    blocks = [_corners(np.arange(len(total)), total[:, None], [knots], len(total))]
    for kind, nodes in grids.items():
        at_nodes = steps_at(nodes, AXES[kind])
        step = evaluate(linear_kernel.step_time, at_nodes, base)
        physics.append(step - linear_kernel.curve(at_nodes[:, 0] + at_nodes[:, 2], base))
        scales.append(np.maximum(step, seconds.min()))
        chosen = np.flatnonzero(kinds == KINDS.index(kind))
        blocks.append(_corners(chosen, points[chosen][:, AXES[kind]], nodes, len(total)))
        residual -= blocks[-1] @ physics[-1]
    sizes = [(len(knots),), *(tuple(map(len, nodes)) for nodes in grids.values())]
    start, scale = np.concatenate(physics), np.concatenate(scales)
    strength = np.sqrt(len(seconds) / len(scale))
    error = sparse.hstack(blocks, format="csr").multiply(row_weight[:, None]).multiply(scale)
    bends = sparse.block_diag([_differences(size, [1.0, -2.0, 1.0]) for size in sizes])
    rising = sparse.block_diag([_differences(size, [-1.0, 1.0]) for size in sizes], format="csr")
    pair_scale = abs(rising) @ scale / 2
    fixed = (error.T @ error) + (_SMOOTH * strength) ** 2 * (bends.T @ bends)
    fixed = (fixed + (_RIDGE * strength) ** 2 * sparse.identity(len(scale))).tocsr()
    wanted = error.T @ (residual * row_weight)
    falls = np.zeros(rising.shape[0], bool)
    ratio = np.zeros(len(scale))
    for _ in range(_PASSES):
        falls |= rising @ (start + ratio * scale) < -1e-9
        flat = rising[falls].multiply(_FALL * strength / pair_scale[falls][:, None])
        scaled = flat.multiply(scale).tocsr()
        system = fixed + scaled.T @ scaled
        ratio = cg(
            system,
            wanted - scaled.T @ (flat @ start),
            x0=ratio,
            rtol=_CONVERGED,
            maxiter=_ITERATIONS,
            M=sparse.diags_array(1.0 / system.diagonal()),
        )[0]
    parts = np.split(ratio * scale, np.cumsum([len(part) for part in scales])[:-1])
    values = {
        kind: _monotone((physics[i] + parts[i]).reshape(sizes[i]))
        for i, kind in enumerate(grids, start=1)
    }
    return parts[0], values


def _corners(rows: Array, points: Floats, nodes: list[Floats], count: int) -> Any:
    """Matrix whose `rows` interpolate between the nodes."""
    from scipy import sparse

    corner, weight = _weights(points, nodes)
    row = np.repeat(rows, corner.shape[1])
    shape = (count, int(np.prod([len(axis) for axis in nodes])))
    return sparse.csr_array((weight.ravel(), (row, corner.ravel())), shape=shape)


def _differences(sizes: tuple[int, ...], stencil: list[float]) -> Any:
    """Matrix that applies the stencil along every axis of a grid."""
    from scipy import sparse

    parts = []
    for axis, size in enumerate(sizes):
        shape = (max(0, size - len(stencil) + 1), size)
        along = sparse.diags_array(stencil, offsets=list(range(len(stencil))), shape=shape)
        before, after = int(np.prod(sizes[:axis])), int(np.prod(sizes[axis + 1 :]))
        outer = sparse.kron(sparse.identity(before), along)
        parts.append(sparse.kron(outer, sparse.identity(after)))
    return sparse.vstack(parts)


def _monotone(values: Floats) -> Floats:
    """Make values rise along every axis: the middle of the least majorant and largest minorant."""
    above, below = values, values
    for axis in range(values.ndim):
        above = np.maximum.accumulate(above, axis=axis)
        below = np.flip(np.minimum.accumulate(np.flip(below, axis), axis=axis), axis)
    return (above + below) / 2


def kernel_table(coefficients: Mapping[str, Any]) -> Floats:
    """Lay curve and grids out for `step_time`; the same coefficients give the same bits.

    The table of the linear estimator comes first, its curve corrected; then where the grid of each
    kind starts (0: there is none); then the grids: sizes of axes, nodes, seconds.
    """
    base = with_curve(
        linear.kernel_table(coefficients["fallback"]),
        np.array(coefficients["curve_tokens"]),
        np.array(coefficients["curve_s"]),
    )
    starts = np.zeros(len(KINDS))
    cells: list[float] = []
    for index, kind in enumerate(KINDS):
        grid = coefficients["grids"].get(kind)
        if grid:
            starts[index] = TABLE_CELLS + len(KINDS) + len(cells)
            cells += [float(len(axis)) for axis in grid["nodes"]]
            cells += [value for axis in grid["nodes"] for value in axis]
            cells += grid["seconds"]
    return np.concatenate([base, starts, np.array(cells, np.float64)])


def scaled(coefficients: Mapping[str, Any], factor: float, more_s: float) -> dict[str, Any]:
    """Return the coefficients of steps that take `factor` times as long, and `more_s` longer."""
    grids = {
        kind: {**grid, "seconds": [factor * value + more_s for value in grid["seconds"]]}
        for kind, grid in coefficients["grids"].items()
    }
    return {
        "fallback": linear.scaled(coefficients["fallback"], factor, more_s),
        "curve_tokens": coefficients["curve_tokens"],
        "curve_s": [factor * value for value in coefficients["curve_s"]],
        "grids": grids,
    }


ESTIMATOR = Estimator(
    name="table",
    about="curve of total tokens plus monotone log-spaced grids of attention",
    fit=fit_coefficients,
    table=kernel_table,
    parse=parse_coefficients,
    kernel="table_kernel",
    libraries=("scipy.optimize", "scipy.sparse.linalg"),
    scaled=scaled,
)
