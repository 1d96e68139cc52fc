"""A gate: a sentence such as `p99 ttft_s > +5% vs round_robin` that a scoreboard fails or passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workloadlab.errors import UsageError
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.paired import MOST_LOST
from workloadlab.scoring.target_words import TIME_UNITS
from workloadlab.scoring.verdict import effect_words, within_words
from workloadlab.words import listed, rate_words, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workloadlab.scoring.paired import PairedDifference
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["Gate", "Judged"]

FORM = re.compile(
    r"\s*(?P<measure>[\w ]+?)\s*(?P<sign>[<>]=?)"
    r"\s*(?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>%|[a-z]*)"
    r"\s*(?:vs\s+(?P<other>\S.*?))?\s*"
)

_UNITS: dict[str, Mapping[str, float]] = {"s": TIME_UNITS, "share": {"": 1.0, "%": 0.01}}
"""By a metric's unit, what a plain limit may be written in; of other metrics numbers alone."""

State = Literal["passed", "failed", "cannot_tell"]

CANNOT_TELL: State = "cannot_tell"

FEW = "too few requests, or too unlike, to tell"


@dataclass(frozen=True)
class Judged:
    """How a router stands to a gate at one rate.

    Attributes:
        router: its name.
        rate_scale: of the load.
        state: beyond the limit, within it, or, by the interval, perhaps either.
        words: what was measured, or why nothing was.
        value, low, high: what was measured and its interval, as the limit is given: an effect, or in the
            metric's unit; None where there is none.
    """

    router: str
    rate_scale: float
    state: State
    words: str
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"{self.router} at {rate_words(self.rate_scale)}: {self.words}"


@dataclass(frozen=True)
class Gate:
    """A limit that runs must not pass.

    Attributes:
        measure: what is looked at.
        above: whether values over the limit fail; else those under it.
        limit: an effect (0.05 for 5 %) where there is `other`, else a value in the metric's unit.
        other: the router that all others are compared with; None for a plain limit.
        inclusive: whether the limit itself fails.

    Example:
        >>> gate = Gate.of("p99 ttft_s > +5% vs round_robin")
        >>> gate.measure.name, gate.above, gate.limit, gate.other
        ('p99 ttft_s', True, 0.05, 'round_robin')
    """

    measure: Measure
    above: bool
    limit: float
    other: str | None = None
    inclusive: bool = False

    @classmethod
    def of(cls, text: str) -> Gate:
        """Read a gate.

        Raises:
            UsageError: not of that form, or no such measure.
        """
        no_gate = UsageError(
            f"--fail-on {text!r} is no gate",
            fix='write "p99 ttft_s > +5% vs round_robin", "ttft_s > 500ms" or "slo_attainment < 99%"',
        )
        found = FORM.fullmatch(text)
        if not found:
            raise no_gate
        measure = Measure.named(found["measure"])
        units = {"%": 0.01} if found["other"] else _UNITS.get(measure.metric.unit, {"": 1.0})
        if found["unit"] not in units:
            raise no_gate
        limit = float(found["limit"]) * units[found["unit"]]
        if not found["other"] and measure.metric.unit == "share" and not 0 <= limit <= 1:
            raise UsageError(
                f"--fail-on {text!r}: a share is between 0 and 1",
                fix="write it as 99% or as 0.99",
            )
        sign = found["sign"]
        return cls(measure, sign[0] == ">", limit, found["other"], sign.endswith("="))

    @property
    def reversed(self) -> bool:
        """Whether it fails the better side: `p99 ttft_s < 5` fails the fast."""
        return self.measure.metric.better == ("higher" if self.above else "lower")

    def failures(self, board: Scoreboard) -> list[str]:
        """Return, as sentences, what `judged` finds to have failed; none passes."""
        return [str(found) for found in self.judged(board) if found.state == "failed"]

    def judged(self, board: Scoreboard) -> list[Judged]:
        """Return how each router stands to the limit at each rate.

        An effect fails if it is beyond the limit and separated from 0 after Holm's correction, a value
        if its interval is, or itself where it has none. Figures that mean nothing fail:
        latencies, goodput and shares within targets without a steady state, and
        latencies of requests of which more were lost than they leave out, any for a mean, one of a
        hundred for a p99. Beside another router that loses as many, a latency fails from half of the
        requests on. A router that holds the load, or serves, where the other does not passes. What has
        not failed cannot be told if its interval reaches beyond the limit.

        Raises:
            UsageError: no such router, or the runs do not record the measure.
        """
        if self.other is None:
            return list(self._by_value(board))
        if self.other not in board.routers:
            raise UsageError(
                f"{self.other!r} is not among the routers of the runs: {listed(board.routers)}",
                fix="compare with one of these, or replay it too",
            )
        if len(board.routers) < 2:
            raise UsageError("a gate against a router needs a second one", fix="replay two")
        return list(self._by_effect(board, self.other))

    def blind_to(self, board: Scoreboard) -> list[str]:
        """Return which routers have no steady state, and at which rates, and pass all the same.

        A limit on throughput, cache hits or cost says nothing of the requests that pile up.
        """
        if self.other is not None:
            return []
        failed = {(f.router, f.rate_scale) for f in self.judged(board) if f.state == "failed"}
        return [
            f"{router} at {rate_words(scale)}"
            for scale in board.scales
            for router in board.routers
            if board.of(router, scale) and not board.steady(router, scale)
            if (router, scale) not in failed
        ]

    def _by_value(self, board: Scoreboard) -> Iterator[Judged]:
        known = False
        for scale in board.scales:
            for router in (name for name in board.routers if board.of(name, scale)):
                why = self._means_nothing(board, router, scale)
                value = board.mean(router, scale, self.measure.metric.name, self.measure.part)
                known |= bool(why) or value is not None
                if why:
                    yield Judged(router, scale, "failed", why)
                elif value is not None:
                    yield self._value_judged(board, router, scale, value)
        if not known:
            raise UsageError(f"no run has a {self.measure.noun}", fix=self._missing(board))

    def _value_judged(self, board: Scoreboard, router: str, scale: float, value: float) -> Judged:
        found = board.interval(router, scale, self.measure)
        low, high = (found.low, found.high) if found else (None, None)
        said = f"{self.measure.noun} is {within_words(self.measure, value, low, high)}"
        if low is None or high is None:
            runs = len(board.of(router, scale))
            of = "one run's number" if runs == 1 else f"the mean of {runs} runs"
            why = f": {found.why}" if found else ""
            said = f"{said}, {of} without an interval{why}"
            state: State = "passed" if found is None else CANNOT_TELL
            return Judged(
                router, scale, "failed" if self._passes_limit(value) else state, said, value
            )
        nearer, farther = (low, high) if self.above else (high, low)
        if self._passes_limit(nearer):
            return Judged(router, scale, "failed", said, value, low, high)
        if self._passes_limit(farther):
            return Judged(router, scale, CANNOT_TELL, f"{said}: {FEW}", value, low, high)
        return Judged(router, scale, "passed", said, value, low, high)

    def _by_effect(self, board: Scoreboard, other: str) -> Iterator[Judged]:
        known = False
        for scale in board.scales:
            ran = [name for name in board.routers if board.of(name, scale)]
            for router in (name for name in ran if name != other and other in ran):
                why = self._means_nothing(board, router, scale, other)
                ahead = self._means_nothing(board, other, scale, router)
                pair = board.compared(router, other, scale, self.measure)
                metric, part = self.measure.metric, self.measure.part
                has = board.mean(router, scale, metric.name, part) is not None
                known |= bool(why or ahead or (has and part in metric.paired))
                if why:
                    yield Judged(router, scale, "failed", why)
                elif ahead:
                    yield Judged(router, scale, "passed", f"{other} has {ahead}")
                else:
                    yield self._effect_judged(router, other, scale, pair)
        if not known:
            raise UsageError(
                f"no two runs can be compared in {self.measure.name}",
                fix="compare means or p99 of ttft_s, tpot_s or e2e_s, or with --slo slo_attainment "
                "or goodput_rps",
            )

    def _effect_judged(
        self, router: str, other: str, scale: float, pair: PairedDifference | None
    ) -> Judged:
        noun = self.measure.noun
        if pair is None:
            said = f"{noun} cannot be compared with {other}: too few requests have it in both"
            return Judged(router, scale, CANNOT_TELL, said)
        if pair.effect is None:
            said = f"{noun} of {other} is 0, so that no difference is a share of it"
            return Judged(router, scale, CANNOT_TELL, said)
        low, high = pair.effect_low, pair.effect_high
        measured = pair.effect, low, high
        if pair.significant and self._passes_limit(pair.effect):
            said = f"{noun} is {effect_words(pair)} {other}"
            return Judged(router, scale, "failed", said, *measured)
        ends = f"{low or 0.0:+.1%} to {'any' if high is None else f'{high:+.1%}'}"
        said = f"{noun} {pair.effect:+.1%} ({ends}) vs {other}"
        said = f"{noun} is equal to that of {other}" if pair.identical else said
        if self._reaches_limit(low, high):
            return Judged(router, scale, CANNOT_TELL, f"{said}: {FEW}", *measured)
        return Judged(router, scale, "passed", said, *measured)

    def _passes_limit(self, value: float) -> bool:
        beyond = (value - self.limit) * self._sign
        return beyond > 0 or (self.inclusive and beyond == 0)

    def _reaches_limit(self, low: float | None, high: float | None) -> bool:
        end = high if self.above else low
        return end is None or self._passes_limit(end)

    def _missing(self, board: Scoreboard) -> str:
        """Say what to do where no run has the measure."""
        if self.measure.metric.needs_slo and not board.slo:
            return "give --slo, such as --slo ttft=1"
        return "these runs do not record it; gate another, see workloadlab score --list-metrics"

    def _means_nothing(
        self, board: Scoreboard, router: str, scale: float, other: str | None = None
    ) -> str:
        """Say why the figure of a router, beside another's, means nothing; "" where it does."""
        metric, part = self.measure.metric, self.measure.part
        latency = metric.unit == "s" and metric.better is not None
        if (latency or metric.needs_slo) and not board.steady(router, scale):
            if other and board.steady(other, scale):
                return f"no steady state, unlike {other}"
            beside = f", as with {other}" if other else ""
            return f"no steady state{beside}, so its {self.measure.noun} means nothing"
        if not (latency and self.above):
            return ""
        lost = board.lost(router, scale)
        fewer = other is not None and board.lost(other, scale) < lost
        left_out = 1.0 - float(part[1:]) / 100 if part.startswith("p") else 0.0
        if lost >= MOST_LOST or (lost > left_out and (fewer or other is None)):
            return f"{share(lost)} of the requests were not served{f', unlike {other}' if fewer else ''}"
        return ""

    @property
    def _sign(self) -> float:
        return 1.0 if self.above else -1.0
