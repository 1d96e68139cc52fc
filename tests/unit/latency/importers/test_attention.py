"""Attention from points: lines over cached tokens, a completed grid of decodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.latency.importers.attention import DecodeGrid, PrefillLines

CHUNKS, CACHED = np.array([32.0, 256, 1024]), np.array([0.0, 100, 3000])


def prefill_us(chunk, cached):
    """Linear in what is cached, and in the chunk between measured ones."""
    return 4.0 + 0.02 * chunk + (0.001 + 2e-5 * chunk) * cached


def lines(**options) -> PrefillLines:
    chunk, cached = (axis.ravel() for axis in np.meshgrid(CHUNKS, CACHED))
    return PrefillLines.of(chunk, cached, prefill_us(chunk, cached), **options)


@given(st.integers(32, 1024), st.integers(0, 100_000))
def test_lines_are_exact_on_lines(chunk, cached) -> None:
    us = lines()(np.array([float(chunk)]), np.array([float(cached)]))
    assert us == pytest.approx([prefill_us(chunk, cached)])


@pytest.mark.parametrize("chunk", [1500, 2048, 5000])
def test_a_long_chunk_is_its_pieces_one_after_another(chunk) -> None:
    pieces = int(np.ceil(chunk / 1024))
    piece = chunk / pieces
    expected = sum(prefill_us(piece, 700 + index * piece) for index in range(pieces))
    assert lines()(np.array([float(chunk)]), np.array([700.0])) == pytest.approx([expected])


def test_keys_may_count_part_of_the_chunk() -> None:
    us = lines(within=0.5)(np.array([256.0, 2048.0]), np.array([1000.0, 0.0]))
    assert us == pytest.approx(
        [prefill_us(256, 1128), prefill_us(1024, 512) + prefill_us(1024, 1536)]
    )


def test_small_chunks_cost_the_smallest_and_none_costs_nothing() -> None:
    us = lines()(np.array([0.0, 1.0, 32.0]), np.array([50.0, 50.0, 50.0]))
    assert us.tolist() == pytest.approx([0.0, prefill_us(32, 50), prefill_us(32, 50)])


def test_chunks_measured_at_one_point_are_left_out() -> None:
    chunk = np.array([32.0, 32.0, 64.0])
    table = PrefillLines.of(chunk, np.array([0.0, 10.0, 0.0]), np.array([5.0, 6.0, 1.0]))
    assert table.chunks.tolist() == [32.0]
    assert (table.intercept, table.slope) == (pytest.approx([5.0]), pytest.approx([0.1]))


def test_a_ragged_grid_is_completed_by_its_growth() -> None:
    points = [(1, c, 2 + 0.001 * c) for c in (100, 1000, 4000, 16000)]
    points += [(8, c, 3 + 0.01 * c) for c in (100, 1000, 4000)] + [(8, 1000, 99.0), (8, 1000, 0.1)]
    grid = DecodeGrid.of(*np.array(points, float).T)
    seqs, context = np.array([1.0, 8, 8, 4.5, 8, 0]), np.array([16000.0, 4000, 16000, 100, 550, 9])
    expected = [18.0, 43.0, 163.0, (2.1 + 4.0) / 2, 3 + 5.5, 0.0]
    assert grid(seqs, context) == pytest.approx(expected)


def test_outside_the_grid_its_edge_answers() -> None:
    points = [(n, c, float(n + c)) for n in (2, 4) for c in (10, 20)]
    grid = DecodeGrid.of(*np.array(points, float).T)
    assert grid(np.array([1.0, 9.0]), np.array([1.0, 99.0])) == pytest.approx([12.0, 24.0])
