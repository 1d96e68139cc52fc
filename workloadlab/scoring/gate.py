"""A gate: a sentence such as `p99 ttft_s > +5% vs round_robin` that a scoreboard fails or passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.paired import MOST_LOST
from workloadlab.scoring.verdict import effect_words, value_words
from workloadlab.words import rate_words, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = ["Gate"]

FORM = re.compile(
    r"\s*(?P<measure>[\w ]+?)\s*(?P<sign>[<>])\s*(?P<limit>[-+]?[\d.]+)\s*(?P<percent>%?)"
    r"\s*(?:vs\s+(?P<other>\S+))?\s*"
)


@dataclass(frozen=True)
class Gate:
    """A limit that runs must not pass.

    Attributes:
        measure: what is looked at.
        above: whether values over the limit fail; else those under it.
        limit: an effect (0.05 for 5 %) where there is `other`, else a value in the metric's unit.
        other: the router that all others are compared with; None for a plain limit.

    Example:
        >>> gate = Gate.of("p99 ttft_s > +5% vs round_robin")
        >>> gate.measure.name, gate.above, gate.limit, gate.other
        ('p99 ttft_s', True, 0.05, 'round_robin')
    """

    measure: Measure
    above: bool
    limit: float
    other: str | None = None

    @classmethod
    def of(cls, text: str) -> Gate:
        """Read a gate.

        Raises:
            UsageError: not of that form, or no such measure.
        """
        found = FORM.fullmatch(text)
        if not found or (found["other"] is not None) != (found["percent"] == "%"):
            raise UsageError(
                f"--fail-on {text!r} is no gate",
                fix='write "p99 ttft_s > +5% vs round_robin" or "slo_attainment < 0.99"',
            )
        measure = Measure.named(found["measure"])
        limit = float(found["limit"]) / (100 if found["percent"] else 1)
        return cls(measure, found["sign"] == ">", limit, found["other"])

    def failures(self, board: Scoreboard) -> list[str]:
        """Return, as sentences, where a board is beyond the limit; none passes.

        An effect fails if it is beyond the limit and separated from 0 after Holm's correction. Figures
        that mean nothing fail: latencies, goodput and shares within targets without a steady state, and
        latencies of requests of which more were lost than they leave out, any for a mean, one of a
        hundred for a p99. Beside another router that loses as many, a latency fails from half of the
        requests on. A router that holds the load, or serves, where the other does not passes.

        Raises:
            UsageError: no such router, or the runs do not record the measure.
        """
        if self.other is None:
            return list(self._beyond(board))
        if self.other not in board.routers:
            raise UsageError(
                f"no router is called {self.other!r}", fix=did_you_mean(self.other, board.routers)
            )
        if len(board.routers) < 2:
            raise UsageError("a gate against a router needs a second one", fix="replay two")
        return list(self._worse(board, self.other))

    def blind_to(self, board: Scoreboard) -> list[str]:
        """Return which routers have no steady state, and at which rates, and pass all the same.

        A limit on throughput, cache hits or cost says nothing of the requests that pile up.
        """
        failed = tuple(self.failures(board))
        return [
            where
            for scale in board.scales
            for router in board.routers
            if board.of(router, scale) and not board.steady(router, scale)
            for where in [f"{router} at {rate_words(scale)}"]
            if self.other is None and not any(said.startswith(f"{where}:") for said in failed)
        ]

    def _beyond(self, board: Scoreboard) -> Iterator[str]:
        known = False
        for scale in board.scales:
            for router in (name for name in board.routers if board.of(name, scale)):
                why = self._means_nothing(board, router, scale)
                value = board.mean(router, scale, self.measure.metric.name, self.measure.part)
                known |= bool(why) or value is not None
                where = f"{router} at {rate_words(scale)}"
                if why:
                    yield f"{where}: {why}"
                elif value is not None and (value - self.limit) * self._sign > 0:
                    yield f"{where}: {self.measure.noun} is {value_words(self.measure, value)}"
        if not known:
            raise UsageError(f"no run has a {self.measure.noun}", fix="give --slo for attainment")

    def _worse(self, board: Scoreboard, other: str) -> Iterator[str]:
        known = False
        for scale in board.scales:
            ran = [name for name in board.routers if board.of(name, scale)]
            for router in (name for name in ran if name != other and other in ran):
                why = self._means_nothing(board, router, scale, other)
                ahead = self._means_nothing(board, other, scale, router)
                pair = board.compared(router, other, scale, self.measure)
                known |= bool(why or ahead or (pair and pair.effect is not None))
                where = f"{router} at {rate_words(scale)}"
                if why:
                    yield f"{where}: {why}"
                elif ahead or pair is None or pair.effect is None:
                    continue
                elif pair.significant and (pair.effect - self.limit) * self._sign > 0:
                    yield f"{where}: {self.measure.noun} is {effect_words(pair)} {other}"
        if not known:
            raise UsageError(
                f"no two runs can be compared in {self.measure.name}",
                fix="compare means or p99 of ttft_s, tpot_s or e2e_s, or with --slo slo_attainment "
                "or goodput_rps",
            )

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
