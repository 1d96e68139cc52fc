"""Chances and quantiles equal scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from workloadlab.distributions import (
    beta_chance,
    chi_squared_tail,
    normal_quantile,
    root,
    student_quantile,
    student_tail,
    student_tails,
)

freedoms = st.integers(1, 60)


@given(distances=st.lists(st.floats(0, 1e6), min_size=1), freedom=freedoms)
def test_students_tail(distances, freedom):
    exact = 2 * special.stdtr(freedom, -np.array(distances))
    ours = [student_tail(distance, freedom) for distance in distances]
    np.testing.assert_allclose(ours, exact, rtol=1e-10, atol=0)
    np.testing.assert_allclose(student_tails(np.array(distances), freedom), exact, atol=1e-12)


def test_nothing_lies_beyond_infinity():
    assert student_tails(np.array([np.inf, 0.0]), 13).tolist() == [0.0, 1.0]


@given(chance=st.floats(0.51, 1 - 1e-9), freedom=freedoms)
def test_students_quantile(chance, freedom):
    exact = special.stdtrit(freedom, chance)
    assert student_quantile(chance, freedom) == pytest.approx(exact, rel=1e-9, abs=1e-9)


@given(chance=st.floats(1e-9, 1 - 1e-9))
def test_normal_quantile(chance):
    assert normal_quantile(chance) == pytest.approx(special.ndtri(chance), rel=1e-12, abs=1e-15)


@given(value=st.floats(0, 700), freedom=freedoms)
def test_tail_of_chi_squared(value, freedom):
    exact = special.chdtrc(freedom, value)
    assert chi_squared_tail(value, freedom) == pytest.approx(exact, rel=1e-10, abs=1e-300)


@given(
    n=st.floats(1, 1e7),
    level=st.floats(0.001, 0.999),
    away=st.floats(-6, 6),
)
def test_chance_of_a_rank(n, level, away):
    rank = min(max(n * level + away * (n * level * (1 - level)) ** 0.5, 1e-9), n + 1 - 1e-9)
    exact = special.betainc(rank, n + 1 - rank, level)
    assert beta_chance(level, rank, n + 1 - rank) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@given(
    first=st.floats(0.01, 50),
    second=st.floats(0.01, 50),
    value=st.sampled_from([0.0, 1e-9, 0.1, 0.5, 0.9, 1.0]),
)
def test_beta_chance(first, second, value):
    exact = special.betainc(first, second, value)
    assert beta_chance(value, first, second) == pytest.approx(exact, rel=1e-9, abs=1e-13)


@given(at=st.floats(-5, 5), power=st.sampled_from([1, 3, 7]))
def test_a_root_is_found(at, power):
    found = root(lambda value: (value - at) ** power, -6.0, 7.0)
    assert found == pytest.approx(at, abs=1e-3 if power > 1 else 1e-12)


def test_a_root_at_the_end_is_found():
    assert root(lambda value: value, 0.0, 1.0) == pytest.approx(0.0, abs=1e-12)
