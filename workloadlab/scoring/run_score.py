"""The score of one run, and the file that a sweep keeps of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from workloadlab.digests import check_object, sealed
from workloadlab.errors import DataError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.json_files import read_object
from workloadlab.scoring.imbalance import Imbalance  # noqa: TC001  a kept score is read by its types
from workloadlab.scoring.intervals import Interval  # noqa: TC001
from workloadlab.scoring.metric import LatencySummary, Value
from workloadlab.scoring.saturation import Saturation  # noqa: TC001
from workloadlab.shapes import ShapeError, build
from workloadlab.trace import RunInfo  # noqa: TC001
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workloadlab.scoring.service_level import SLO

__all__ = ["OUTSIDE_WORTH_A_WARNING", "KeptScore", "RunScore", "mean_over", "plain_score"]

AGAIN = "sweep again"

OUTSIDE_WORTH_A_WARNING = 0.01
"""A share of steps outside the domain above this makes the run's times an extrapolation."""


@dataclass(frozen=True, kw_only=True)
class RunScore:
    """The metrics of one run; each is an attribute too: `run.ttft_s.mean`, `run.load_cv`.

    Attributes:
        run_id, router, rate_scale, seed: of the run, see `RunInfo`.
        metrics: value by name, in the order of `METRICS`.
        intervals: 95 % interval of every metric that averages over requests, by `p99 ttft_s`,
            `slo_attainment`, ...
        saturation: whether the cluster holds the load; None where that cannot be told.
        imbalance: the few instances that take nearly all of the work; None where many share it.
        steps: engine steps simulated.
        steps_outside_domain: steps whose batch lay outside the latency model's fitted domain.
        fidelity: errors against observed timings by latency, see `fidelity`; None where none were
            given.

    Example:
        >>> run = RunScore(run_id="a__x1.0__s0", router="a", rate_scale=1.0, seed=0, steps=7,
        ...                steps_outside_domain=0, metrics={"ttft_s": LatencySummary(mean=0.5)})
        >>> run.ttft_s.mean, run.to_dict()["ttft_s"]["mean"]
        (0.5, 0.5)
    """

    run_id: str
    router: str
    rate_scale: float
    seed: int
    metrics: dict[str, Value]
    steps: int
    steps_outside_domain: int
    fidelity: dict[str, dict[str, float | None] | None] | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)
    saturation: Saturation | None = None
    imbalance: Imbalance | None = None

    def __getattr__(self, name: str) -> Any:
        """Return the metric of that name."""
        metrics = vars(self).get("metrics", {})
        if name not in metrics:
            raise AttributeError(f"a run has no {name!r}; its metrics are {', '.join(metrics)}")
        return metrics[name]

    @property
    def steady(self) -> bool:
        """Whether nothing says that requests pile up."""
        return self.saturation is None or self.saturation.steady is not False

    @property
    def told(self) -> bool:
        """Whether the run tells if the load is held."""
        return self.saturation is not None and self.saturation.steady is not None

    @property
    def untold(self) -> str:
        """Why it cannot be told whether the load is held, as a clause; "" where it can."""
        if self.told:
            return ""
        if self.saturation is None:
            return f"{plural(self.requests, 'request is', 'requests are')} too few"
        return str(self.saturation)

    @property
    def outside_share(self) -> float:
        """Share of the steps that lie outside the latency model's fitted domain; 0 without steps."""
        return self.steps_outside_domain / self.steps if self.steps else 0.0

    def value(self, metric: str, part: str = "") -> float | None:
        """Return a metric, or one part of a latency's summary, as a number.

        Args:
            metric: its name.
            part: "mean", "p50", ... of a latency.

        Raises:
            UsageError: no such metric or part.
        """
        if metric not in self.metrics:
            raise UsageError(
                f"a run has no metric {metric!r}", fix=did_you_mean(metric, self.metrics)
            )
        found = self.metrics[metric]
        parts = vars(found) if isinstance(found, LatencySummary) else {"": found}
        if part not in parts:
            raise UsageError(
                f"{metric} has no part {part!r}", fix=f"use one of {', '.join(map(repr, parts))}"
            )
        number: float | None = parts[part]
        return number

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data: one key per attribute and metric, `fidelity` only if known."""
        return {
            "run_id": self.run_id,
            "router": self.router,
            "rate_scale": self.rate_scale,
            "seed": self.seed,
            **{
                name: asdict(value) if isinstance(value, LatencySummary) else value
                for name, value in self.metrics.items()
            },
            "steps": self.steps,
            "steps_outside_domain": self.steps_outside_domain,
            "saturation": self.saturation and asdict(self.saturation),
            "imbalance": self.imbalance and asdict(self.imbalance),
            "intervals": {name: asdict(found) for name, found in self.intervals.items()},
            **({} if self.fidelity is None else {"fidelity": self.fidelity}),
        }

    def flat(self) -> dict[str, Any]:
        """Return `to_dict` in one level: `ttft_s_p99`, `ttft_s_p99_low`, `saturation_drift_rps`."""
        found: dict[str, Any] = {}
        for key, value in self.to_dict().items():
            nested = {}
            if key == "fidelity":
                nested = value
            elif key == "intervals":
                nested = {
                    "_".join(reversed(name.split())): {"low": one["low"], "high": one["high"]}
                    for name, one in value.items()
                }
            elif value is None and key in ("saturation", "imbalance"):
                continue
            elif isinstance(value, dict):
                nested = {key: value}
            else:
                found[key] = value
            for latency, parts in nested.items():
                found |= {f"{latency}_{part}": number for part, number in (parts or {}).items()}
        return found


def plain_score(info: RunInfo, score: RunScore, slo: SLO | None) -> dict[str, Any]:
    """Return a score as plain JSON data with its digest.

    Args:
        info: what a manifest says of the run.
        score: of the run.
        slo: the targets that it was scored with.
    """
    facts = {"info": asdict(info), "slo": slo.to_dict() if slo else {}, "score": asdict(score)}
    return sealed(facts)


@dataclass(frozen=True)
class KeptScore:
    """A score that was kept.

    Attributes:
        info: what a manifest says of the run.
        slo: targets that it was scored with.
        score: the score.
    """

    info: RunInfo
    slo: dict[str, float]
    score: RunScore

    @classmethod
    def of(cls, facts: dict[str, Any], where: str) -> KeptScore:
        """Return what `plain_score` made plain.

        Raises:
            DataError: it is damaged.
        """
        try:
            kept: KeptScore = build(cls, check_object(facts, where))
        except ShapeError as error:
            raise DataError(f"is damaged: {error}", where=where, fix=AGAIN) from error
        return kept

    @classmethod
    def read(cls, path: Path) -> KeptScore:
        """Return what a file keeps.

        Raises:
            DataError: it is damaged.
        """
        return cls.of(read_object(path, fix=AGAIN), str(path))


def mean_over(runs: Iterable[RunScore], metric: str, part: str = "") -> float | None:
    """Return the mean of a metric, such as over seeds; None where a run lacks it, or without runs."""
    values = [run.value(metric, part) for run in runs]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
