"""Chances and quantiles of the distributions that intervals are read from.

They are scipy's, to 12 digits and more. It takes longer to import `scipy.special` and `scipy.optimize`
than to replay a small log and score it.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "beta_chance",
    "chi_squared_tail",
    "normal_quantile",
    "root",
    "student_quantile",
    "student_tail",
    "student_tails",
]

_TINY = 1e-300
_PRECISION = 2.0**-52


def normal_quantile(chance: float) -> float:
    """Return the value that a standard normal variable stays below with a chance between 0 and 1.

    Example:
        >>> round(normal_quantile(0.975), 3)
        1.96
    """
    return NormalDist().inv_cdf(chance)


def student_tail(distance: float, freedom: int) -> float:
    """Return the chance that Student's variable is farther from 0 than a distance, on either side.

    Args:
        distance: 0 or more.
        freedom: degrees of freedom, 1 or more.

    Example:
        >>> round(student_tail(2.16, 13), 3)
        0.05
    """
    square = distance * distance
    if square < 1:  # what is nearly 1 has lost the digits of its distance
        return 1 - beta_chance(square / (freedom + square), 0.5, freedom / 2)
    return beta_chance(freedom / (freedom + square), freedom / 2, 0.5)


def student_tails(distances: NDArray[np.float64], freedom: int) -> NDArray[np.float64]:
    """Return `student_tail` of many distances, of infinite ones too, to 1e-15.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Example:
        >>> student_tails(np.array([0.0, 2.16, np.inf]), 13).round(3).tolist()
        [1.0, 0.05, 0.0]
    """
    angle = np.arctan(distances / math.sqrt(freedom))
    cosine, odd = np.cos(angle), freedom % 2
    term, total = cosine**odd, np.zeros_like(cosine)
    for place in range(freedom // 2):
        total += term
        term = term * cosine**2 * ((2 * place + 1 + odd) / (2 * place + 2 + odd))
    total *= np.sin(angle)
    within = (angle + total) * 2 / math.pi if odd else total
    return np.maximum(0.0, 1 - within)


@cache
def student_quantile(chance: float, freedom: int) -> float:
    """Return the value that Student's variable stays below with a chance from 0.5 to below 1.

    Example:
        >>> round(student_quantile(0.975, 13), 3)
        2.16
    """
    tail, far = 2 * (1 - chance), 1.0
    while student_tail(far, freedom) > tail:
        far *= 2
    return root(lambda distance: student_tail(distance, freedom) - tail, 0.0, far)


def chi_squared_tail(value: float, freedom: int) -> float:
    """Return the chance that the sum of `freedom` squared standard normal variables exceeds a value.

    Handbook of Mathematical Functions, 26.4.4 and 26.4.5.

    Example:
        >>> round(chi_squared_tail(22.36, 13), 3)
        0.05
    """
    half, odd = value / 2, freedom % 2
    powers = [odd / 2 + place for place in range(freedom // 2)]
    terms = math.fsum(half**power / math.gamma(power + 1) for power in powers)
    return odd * math.erfc(math.sqrt(half)) + math.exp(-half) * terms


def beta_chance(value: float, first: float, second: float) -> float:
    """Return the chance that a beta variable of two shapes lies below a value from 0 to 1.

    By its continued fraction (Handbook of Mathematical Functions, 26.5.8) as Lentz evaluates it; above
    the mean, where that converges slowly, by symmetry.

    Example:
        >>> round(beta_chance(0.5, 2.0, 1.0), 12)
        0.25
    """
    if not 0 < value < 1:
        return float(value >= 1)
    if value > (first + 1) / (first + second + 2):
        return 1 - beta_chance(1 - value, second, first)
    height = math.exp(
        math.lgamma(first + second) - math.lgamma(first) - math.lgamma(second)
        + first * math.log(value) + second * math.log1p(-value)
    )  # fmt: skip
    return height / first * _fraction(value, first, second)


def _fraction(value: float, first: float, second: float) -> float:
    """Return the continued fraction of `beta_chance`."""
    both, above, below = first + second, 1.0, 1 / (1 - (first + second) * value / (first + 1))
    found, place = below, 0
    while True:
        place += 1
        twice = first + 2 * place
        for numerator in (
            place * (second - place) * value / ((twice - 1) * twice),
            -(first + place) * (both + place) * value / (twice * (twice + 1)),
        ):
            above = 1 + numerator / above
            below = 1 / (1 + numerator * below)
            found *= above * below
        if abs(above * below - 1) < _PRECISION:
            return found


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function is 0 between two values at which its signs differ.

    By parabolas through three points where they promise to be better than halving (Chandrupatla,
    Advances in Engineering Software 28, 1997).

    Example:
        >>> round(root(lambda x: x * x - 2, 0.0, 2.0), 12)
        1.414213562373
    """
    newest, other = high, low
    at_newest, at_other = function(newest), function(other)
    share = 0.5
    while True:
        tried = newest + share * (other - newest)
        at_tried = function(tried)
        if (at_tried > 0) == (at_newest > 0):
            older, at_older = newest, at_newest
        else:
            older, at_older = other, at_other
            other, at_other = newest, at_newest
        newest, at_newest = tried, at_tried
        best, at_best = (newest, at_newest) if abs(at_newest) < abs(at_other) else (other, at_other)
        least = (2 * _PRECISION * abs(best) + _TINY) / abs(other - newest)
        if at_best == 0 or least > 0.5:
            return best
        place = (newest - other) / (older - other)
        rise = (at_newest - at_other) / (at_older - at_other)
        share = 0.5
        if rise * rise < place and (1 - rise) ** 2 < 1 - place:
            share = at_newest / (at_other - at_newest) * at_older / (at_other - at_older) + (
                older - newest
            ) / (other - newest) * at_newest / (at_older - at_newest) * at_other / (
                at_older - at_other
            )
        share = min(1 - least, max(least, share))
