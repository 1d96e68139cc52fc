"""Families of positive distributions: estimate, density, survival and draws, one value each.

Parameters travel as an array in the order of `names`; `free` maps them to the whole line, where a
search and its intervals are well behaved, and `bound` maps back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.statistics.densities import (
    gamma_log_density,
    gamma_survival,
    hyperexponential_log_density,
    lognormal_log_density,
    lognormal_survival,
    pareto_lognormal_log_density,
    pareto_lognormal_survival,
    weibull_log_density,
    weibull_survival,
)
from workloadlab.characterization.statistics.estimates import (
    estimate_exponential,
    estimate_gamma,
    estimate_hyperexponential,
    estimate_lognormal,
    estimate_pareto_lognormal,
    estimate_weibull,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloadlab.characterization.statistics.densities import Floats
    from workloadlab.characterization.statistics.estimates import Sample

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True)
class Family:
    """A family of distributions on the positive numbers.

    Attributes:
        names: of the parameters.
        logged: which parameters are positive; `shared` ones lie between 0 and 1, the rest anywhere.
        estimate: maximum likelihood without censoring.
        log_density: of values.
        survival: probability of more than a value.
        draw: sample of a size; None where none is needed.
    """

    names: tuple[str, ...]
    logged: tuple[str, ...]
    shared: tuple[str, ...]
    estimate: Callable[[Sample], Floats]
    log_density: Callable[[Floats, Floats], Floats]
    survival: Callable[[Floats, Floats], Floats]
    draw: Callable[[np.random.Generator, int, Floats], Floats] | None

    def free(self, parameters: Floats) -> Floats:
        """Map parameters to the whole line."""
        mapped = [
            math.log(p)
            if name in self.logged
            else math.log(p / (1 - p))
            if name in self.shared
            else p
            for name, p in zip(self.names, parameters.tolist(), strict=True)
        ]
        return np.array(mapped)

    def bound(self, free: Floats) -> Floats:
        """Map back what `free` returned."""
        mapped = [
            math.exp(min(x, 700.0))
            if name in self.logged
            else 1 / (1 + math.exp(-max(min(x, 35.0), -35.0)))
            if name in self.shared
            else x
            for name, x in zip(self.names, free.tolist(), strict=True)
        ]
        return np.array(mapped)


FAMILIES = {
    "exponential": Family(
        ("scale",),
        ("scale",),
        (),
        estimate_exponential,
        lambda x, p: -x / p[0] - math.log(p[0]),
        lambda x, p: np.exp(-x / p[0]),
        lambda rng, n, p: rng.exponential(p[0], n),
    ),
    "gamma": Family(
        ("shape", "scale"),
        ("shape", "scale"),
        (),
        estimate_gamma,
        gamma_log_density,
        gamma_survival,
        lambda rng, n, p: rng.gamma(p[0], p[1], n),
    ),
    "weibull": Family(
        ("shape", "scale"),
        ("shape", "scale"),
        (),
        estimate_weibull,
        weibull_log_density,
        weibull_survival,
        lambda rng, n, p: p[1] * rng.weibull(p[0], n),
    ),
    "lognormal": Family(
        ("mu", "sigma"),
        ("sigma",),
        (),
        estimate_lognormal,
        lognormal_log_density,
        lognormal_survival,
        lambda rng, n, p: rng.lognormal(p[0], p[1], n),
    ),
    "hyperexponential": Family(
        ("share", "scale_short", "scale_long"),
        ("scale_short", "scale_long"),
        ("share",),
        estimate_hyperexponential,
        hyperexponential_log_density,
        lambda x, p: p[0] * np.exp(-x / p[1]) + (1 - p[0]) * np.exp(-x / p[2]),
        lambda rng, n, p: rng.exponential(np.where(rng.random(n) < p[0], p[1], p[2])),
    ),
    "pareto_lognormal": Family(
        ("mu", "sigma", "tail_share", "tail_start", "alpha"),
        ("sigma", "tail_start", "alpha"),
        ("tail_share",),
        estimate_pareto_lognormal,
        pareto_lognormal_log_density,
        pareto_lognormal_survival,
        None,
    ),
}
