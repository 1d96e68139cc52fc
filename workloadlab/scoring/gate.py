"""A gate: a sentence such as `p99 ttft_s > +5% vs round_robin` that a scoreboard fails or passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.verdict import effect_words, value_words
from workloadlab.words import rate_words

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

        A limit on a latency also fails where more requests were lost than it leaves out: any for a
        mean, one of a hundred for a p99. An effect fails if it is beyond the limit and separated from 0
        after Holm's correction; a router without a steady state fails beside one that has it.

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

    def _beyond(self, board: Scoreboard) -> Iterator[str]:
        known = False
        for scale in board.scales:
            for router in board.routers:
                metric = self.measure.metric
                if self._loses(board, router, scale):
                    known = True
                    yield f"{router} at {rate_words(scale)}: {self._lost_words(board, router, scale)}"
                    continue
                value = board.mean(router, scale, metric.name, self.measure.part)
                known |= value is not None
                if value is not None and (value - self.limit) * self._sign > 0:
                    yield (
                        f"{router} at {rate_words(scale)}: {self.measure.noun} is "
                        f"{value_words(self.measure, value)}"
                    )
        if not known:
            raise UsageError(f"no run has a {self.measure.noun}", fix="give --slo for attainment")

    def _worse(self, board: Scoreboard, other: str) -> Iterator[str]:
        known = False
        for scale in board.scales:
            for router in (name for name in board.routers if name != other):
                where = f"{router} at {rate_words(scale)}"
                if board.steady(other, scale) and not board.steady(router, scale):
                    known = True
                    yield f"{where}: no steady state, unlike {other}"
                    continue
                lost = self._lost(board, router, scale)
                if self._loses(board, router, scale) and lost > self._lost(board, other, scale):
                    known = True
                    yield f"{where}: {self._lost_words(board, router, scale)}, unlike {other}"
                    continue
                pair = board.compared(router, other, scale, self.measure)
                if pair is None or pair.effect is None:
                    continue
                known = True
                if pair.significant and (pair.effect - self.limit) * self._sign > 0:
                    yield f"{where}: {self.measure.noun} is {effect_words(pair)} {other}"
        if not known:
            raise UsageError(
                f"no two runs can be compared in {self.measure.name}",
                fix="compare means or p99 of ttft_s, tpot_s or e2e_s, or with --slo slo_attainment "
                "or goodput_rps",
            )

    def _lost(self, board: Scoreboard, router: str, scale: float) -> float:
        """Return the share of the requests that were not served, the mean of its seeds."""
        requests, served = (
            board.mean(router, scale, name, "") or 0.0 for name in ("requests", "served")
        )
        return 1.0 - served / requests if requests else 0.0

    def _loses(self, board: Scoreboard, router: str, scale: float) -> bool:
        """Say whether a latency cannot be below a limit, since too many have none."""
        part, metric = self.measure.part, self.measure.metric
        if not (self.above and part and metric.unit == "s"):
            return False
        left_out = 1.0 - float(part[1:]) / 100 if part.startswith("p") else 0.0
        return self._lost(board, router, scale) > left_out

    def _lost_words(self, board: Scoreboard, router: str, scale: float) -> str:
        return f"{100 * self._lost(board, router, scale):.1f}% of the requests were not served"

    @property
    def _sign(self) -> float:
        return 1.0 if self.above else -1.0
