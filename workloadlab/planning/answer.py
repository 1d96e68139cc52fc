"""What a plan says: in words, tables and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked, file_path
from workloadlab.digests import check_object, sealed
from workloadlab.display import Drawn
from workloadlab.errors import DataError, UsageError
from workloadlab.json_files import read_object
from workloadlab.planning.advice import advice

# The types of a plan, by which it is read from JSON.
from workloadlab.planning.facts import HourPlan, RouterPlan, WhatIf  # noqa: TC001
from workloadlab.planning.prices import Price  # noqa: TC001
from workloadlab.planning.tables import plan_tables, unsure_words
from workloadlab.scoring.service_level import SLO, targets_words
from workloadlab.shapes import ShapeError, build
from workloadlab.tables import duration, wrapped
from workloadlab.words import plural, share_beside, three

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.planning.question import Trial
    from workloadlab.tables import Table

__all__ = ["Plan"]

SCHEMA_VERSION = 1


@checked
@dataclass(frozen=True, kw_only=True)
class Plan(Drawn):
    """How many instances a trace needs for a service level.

    Attributes:
        trace: its name.
        requests: of the whole trace.
        span_s: of its arrivals.
        peak: the window with the most work per second, with what it needs.
        slo: targets, by latency.
        attain: share of the requests that must meet them.
        pool, latency_model, gpu: what is counted.
        gpus_per_instance: of one instance.
        router: the one that needs the fewest instances; "" if none holds the load.
        routers: every router at the peak, the fewest instances first.
        hours: every window of the trace with the best router; empty for a single one.
        growth: the peak at higher rates.
        error: the peak if the latency model is too fast by its held-out error, else by 10 %.
        engine: the peak with other limits of a batch.
        frontier: the peak for other shares of the requests, the factor being the share.
        start_up_s: of an instance, for the bound of an autoscaler.
        price: of one GPU; None where unknown.
        reach: where no number holds the load, the least targets that the share would meet, each for
            itself, where instances are plenty.
    """

    trace: str
    requests: int
    span_s: float
    peak: HourPlan
    slo: dict[str, float]
    attain: float
    pool: str
    latency_model: str
    gpu: str
    gpus_per_instance: int
    router: str
    routers: tuple[RouterPlan, ...]
    hours: tuple[HourPlan, ...]
    growth: tuple[WhatIf, ...]
    error: WhatIf | None
    engine: tuple[WhatIf, ...]
    frontier: tuple[WhatIf, ...]
    start_up_s: float
    price: Price | None
    reach: dict[str, float] = field(default_factory=dict)

    @property
    def instances(self) -> int | None:
        """Fewest instances that hold every window with the best router; None if no number does."""
        needed = [self.peak.instances, *(hour.instances for hour in self.hours)]
        known = [count for count in needed if count is not None]
        return max(known) if len(known) == len(needed) else None

    @property
    def harder(self) -> HourPlan | None:
        """The first window that needs most instances, if the peak by work needs fewer."""
        if self.instances is None or self.peak.instances == self.instances:
            return None
        return next(hour for hour in self.hours if hour.instances == self.instances)

    @property
    def untold(self) -> str:
        """Why it cannot be told whether so many hold the windows that need them; "" where it can."""
        needy = [each for each in (self.peak, *self.hours) if each.instances == self.instances]
        return next((each.untold for each in needy if each.untold), "")

    @property
    def lost(self) -> Trial | None:
        """The peak with one instance fewer than it needs; None if it needs one."""
        best = self.routers[0]
        return best.trial(best.instances - 1) if best.instances else None

    @property
    def gpu_hours(self) -> float | None:
        """Of the whole trace with a fixed number of instances."""
        if self.instances is None:
            return None
        return self.instances * self.gpus_per_instance * self.span_s / 3600

    def autoscaled_gpu_hours(self, *, start_up: bool) -> float | None:
        """Return the GPU-hours of an autoscaler that knows the future; no real one takes fewer.

        Each window has the fewest instances that hold it. With start-up, an instance that a window has
        beyond the one before runs `start_up_s` longer, so that it is ready in time. Those of the first
        window run already, as those of a fixed number do.
        """
        counts = [hour.instances for hour in self.hours]
        if not self.hours or None in counts:
            return None
        known = [count or 0 for count in counts]
        busy_s = sum(n * hour.length_s for n, hour in zip(known, self.hours, strict=True))
        rises = sum(max(0, now - before) for before, now in pairwise(known))
        waits_s = rises * self.start_up_s if start_up else 0.0
        return (busy_s + waits_s) * self.gpus_per_instance / 3600

    def usd_per_hour(self, instances: int) -> float | None:
        """Return the rent of so many instances; None without a price."""
        gpus = instances * self.gpus_per_instance
        return None if self.price is None else gpus * self.price.usd_per_hour

    @property
    def sentence(self) -> str:
        """The answer."""
        part, targets = f"{self.attain * 100:.4g}%", targets_words(self.slo)
        rate = f"{three(self.peak.rate_rps)} requests/s"
        peak = f"the peak of {rate}" if self.hours else f"the whole trace, {rate},"
        if any(hour.rate_rps > self.peak.rate_rps for hour in self.hours):
            peak = f"the peak by work, {rate},"
        if not self.router or self.instances is None:
            most = max((t.met for r in self.routers for t in r.trials), default=0.0)
            return (
                f"No number of instances of {self.latency_model} serves {part} of the requests within "
                f"{targets}: of {peak} at most {share_beside(most, self.attain)} are, however many "
                f"there are.{self._within_reach}"
            )
        usd = self.usd_per_hour(self.instances)
        gpus = self.instances * self.gpus_per_instance
        cost = f", {plural(gpus, 'GPU')}" + (f", ${usd:,.2f} per hour" if usd is not None else "")
        holds = "holds" if self.instances == 1 else "hold"
        what, why = peak, ""
        if self.harder:
            what = "every window"
            why = (
                f": the one from {duration(self.harder.start_s) or '0 s'} on, "
                f"{three(self.harder.rate_rps)} requests/s, takes them{self._with_fewer}, {peak} "
                f"takes {self.peak.instances:,}"
            )
        router = "" if self.instances == 1 else f" with {self.router}"
        held = f"{what}{router}".removesuffix(",")
        return (
            f"{plural(self.instances, 'instance')} of {self.latency_model}{self._around}{cost}, "
            f"{holds} {held}, {part} of the requests within {targets}{why}."
            f"{unsure_words(self.untold, self.instances)}"
        )

    @property
    def _within_reach(self) -> str:
        """Which targets could be met instead, and what to do."""
        if not self.reach:
            return ""
        return (
            f" At best {self.attain * 100:.4g}% are within {targets_words(self.reach)}, each for "
            "itself: loosen what is missed, or take faster GPUs, or more of them per instance."
        )

    @property
    def _with_fewer(self) -> str:
        """What the hardest window comes to with one instance fewer."""
        met = self.harder.met_with_fewer if self.harder else None
        if met is None or self.instances is None:
            return ""
        if met >= self.attain:
            return f" (with {self.instances - 1:,} requests pile up)"
        return f" (with {self.instances - 1:,} it is {share_beside(met, self.attain)})"

    @property
    def _around(self) -> str:
        best = self.routers[0]
        if self.harder or (best.low, best.high) == (best.instances, best.instances):
            return ""
        if best.high is None:
            return f" ({best.low:,} or more within the interval)"
        return f" ({best.low:,} to {best.high:,} within the interval)"

    @property
    def more(self) -> tuple[str, ...]:
        """What else a decision rests on, a sentence each."""
        return tuple(advice(self))

    def tables(self) -> list[Table]:
        """Return what people read: routers, what-ifs, and the windows."""
        return plan_tables(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, the sentences among them."""
        facts = {key: value for key, value in vars(self).items()}  # noqa: C416
        return {
            "schema_version": SCHEMA_VERSION,
            "instances": self.instances,
            "sentence": self.sentence,
            "more": list(self.more),
            "gpu_hours": self.gpu_hours,
            "autoscaled_gpu_hours": self.autoscaled_gpu_hours(start_up=False),
            "autoscaled_gpu_hours_with_start_up": self.autoscaled_gpu_hours(start_up=True),
            **{key: _plain(value) for key, value in facts.items()},
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text with its digest; never NaN."""
        return json.dumps(sealed(self.to_dict()), indent=1, allow_nan=False)

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            UsageError: no such file.
            DataError: no plan, a damaged one, or one of another version.
        """
        path = file_path("path", path)
        if not path.is_file():
            raise UsageError("no such plan", where=str(path), fix="workloadlab plan --json")
        again = "write one with workloadlab plan --json"
        try:
            made: Plan = build(cls, check_object(read_object(path, fix=again), str(path)))
            targets = SLO.of(made.slo)
        except (ShapeError, UsageError) as error:
            raise DataError(f"is no plan: {error}", where=str(path), fix=again) from error
        names = [found.router for found in made.routers]
        if (
            not names
            or targets == SLO()
            or len({*names}) < len(names)
            or any(found.instances is not None and found.low is None for found in made.routers)
        ):
            problem = (
                "is no plan: slo or routers is empty, a router stands twice or has no interval"
            )
            raise DataError(problem, where=str(path), fix=again)
        return made

    def text(self) -> str:
        """Return tables and sentences as lines of 80 columns."""
        parts = [table.text() for table in self.tables()]
        said = [wrapped(words) for words in (self.sentence, *self.more)]
        return "\n\n".join([*parts, "\n".join(said)])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
