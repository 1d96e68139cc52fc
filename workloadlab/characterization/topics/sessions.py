"""Sessions: how long they last, what comes between their turns, how their context grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloadlab.characterization.compactions import count_resets
from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.frequencies import Frequencies
from workloadlab.characterization.statistics.measures import (
    Spread,
    exact_sum,
    spread_of,
    spread_some,
)
from workloadlab.characterization.study import Topic
from workloadlab.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.rows import SessionRows
    from workloadlab.characterization.study import Study

__all__ = [
    "SESSIONS",
    "Context",
    "Hazard",
    "LiveSessions",
    "Mass",
    "Pauses",
    "Sessions",
    "Turns",
    "hazard_of",
    "mass_of",
    "measure_sessions",
    "turns_of",
]

HAZARD_TURNS = 30
CONTEXT_TURNS = 20


@dataclass(frozen=True)
class Turns(Spread):
    """Requests per session.

    Attributes:
        single_share: share of the sessions with one request.
    """

    single_share: float


@dataclass(frozen=True)
class Hazard:
    """Probability that a session which reached `turn` goes on to the next one.

    Attributes:
        reached: sessions with at least `turn` requests; some would go on after the trace ends.
    """

    turn: int
    reached: int
    probability: float


@dataclass(frozen=True)
class Pauses:
    """Seconds from the end of a request to the next one of its session.

    Attributes:
        measured_from: `end` of the request where its e2e is recorded for all, else `arrival`.
        all: every pause; a negative one (the next request came before the end) counts as 0.
        think: those after an answer, `tool` those after a tool call by finish_reason; None where
            finish_reason is not recorded.
        recorded: the trace's own think times, where it has them.
        overlapping: pauses that were negative.
    """

    measured_from: str
    all: Spread
    think: Spread | None
    tool: Spread | None
    recorded: Spread | None
    overlapping: int


@dataclass(frozen=True)
class LiveSessions:
    """Sessions between their first arrival and their last request's end (or arrival)."""

    peak: int
    mean: float
    lifetime_s: Spread


@dataclass(frozen=True)
class Context:
    """Prompt lengths within sessions.

    Attributes:
        input_p50_by_turn: median prompt of turn 1, 2 ... 20.
        growth_tokens: prompt minus the prompt of the turn before, where it grew.
        shrinks: turns with a shorter prompt than the turn before.
        resets: drops by 65,536 tokens or more that three further turns do not make good: compactions.
    """

    input_p50_by_turn: tuple[float, ...]
    growth_tokens: Spread | None
    shrinks: int
    resets: int


@dataclass(frozen=True)
class Mass:
    """Shares that sessions of several turns hold."""

    sessions: float
    requests: float
    input_tokens: float | None
    output_tokens: float | None


@dataclass(frozen=True)
class Sessions:
    """Sessions of the requests that name one.

    Attributes:
        count: sessions.
        requests: with a session; `missing` have none.
    """

    count: int
    requests: int
    missing: int
    turns: Turns
    hazard: tuple[Hazard, ...]
    pauses_s: Pauses | Unsupported
    live: LiveSessions
    context: Context
    multi_turn: Mass

    def tables(self) -> list[Table]:
        """Return the topic as tables for people."""
        t = self.turns
        rows: list[list[Cell]] = [["turns", t.n, t.mean, t.p50, t.p90, t.p99, t.max]]
        if isinstance(self.pauses_s, Pauses):
            for name, spread in (
                ("pause, s", self.pauses_s.all),
                ("think, s", self.pauses_s.think),
                ("tool, s", self.pauses_s.tool),
            ):
                if spread:
                    s = spread
                    rows.append([name, s.n, s.mean, s.p50, s.p90, s.p99, s.max])
        life = self.live.lifetime_s
        rows.append(["lifetime, s", life.n, life.mean, life.p50, life.p90, life.p99, life.max])
        hazard = self.hazard[:8]
        return [
            Table("Sessions", ["", "n", "mean", "p50", "p90", "p99", "max"], rows),
            Table(
                "Probability of another turn",
                ["turn", *(str(h.turn) for h in hazard)],
                [["continues", *(h.probability for h in hazard)]],
            ),
        ]


def measure_sessions(study: Study) -> Sessions | Unsupported:
    """Measure the sessions; turns are numbered by arrival."""
    rows = study.session_rows
    if isinstance(rows, Unsupported):
        return rows
    starts = np.flatnonzero(rows.first)
    several = np.diff(np.append(starts, len(rows.session)))
    lengths = Frequencies.of(several)
    return Sessions(
        count=lengths.n,
        requests=len(rows.session),
        missing=rows.missing,
        turns=turns_of(lengths),
        hazard=hazard_of(lengths),
        pauses_s=_pauses(rows),
        live=_live(rows, starts),
        context=_context(rows),
        multi_turn=_mass(rows, several, lengths),
    )


def turns_of(lengths: Frequencies) -> Turns:
    """Return the facts of how often sessions have so many requests."""
    p50, p90, p99 = lengths.quantiles([0.5, 0.9, 0.99])
    return Turns(
        n=lengths.n,
        mean=int(lengths.total) / lengths.n,
        p50=p50,
        p90=p90,
        p99=p99,
        max=float(lengths.values[-1]),
        single_share=_single(lengths) / lengths.n,
    )


def _single(lengths: Frequencies) -> int:
    return int(lengths.below(np.array([2]))[0])


def hazard_of(lengths: Frequencies) -> tuple[Hazard, ...]:
    """Return how likely sessions are to go on after each turn."""
    reached = lengths.n - lengths.below(np.arange(1, HAZARD_TURNS + 2))
    return tuple(
        Hazard(turn=turn, reached=here, probability=further / here)
        for turn, (here, further) in enumerate(
            zip(reached[:-1].tolist(), reached[1:].tolist(), strict=True), start=1
        )
        if here
    )


def _pauses(rows: SessionRows) -> Pauses | Unsupported:
    later = ~rows.first[1:]
    ends = rows.end_ns if rows.ends_recorded else rows.arrival_ns
    pauses = (rows.arrival_ns[1:] - ends[:-1])[later]
    everything = spread_of(np.maximum(pauses, 0) / 1e9)
    if everything is None:
        return Unsupported("no session has a second request")
    think = tool = None
    if rows.after_tool is not None:
        tools = rows.after_tool[:-1][later]
        think = spread_of(np.maximum(pauses[~tools], 0) / 1e9)
        tool = spread_of(np.maximum(pauses[tools], 0) / 1e9)
    return Pauses(
        measured_from="end" if rows.ends_recorded else "arrival",
        all=everything,
        think=think,
        tool=tool,
        recorded=spread_of(rows.think_ns[rows.think_ns >= 0] / 1e9),
        overlapping=int(np.count_nonzero(pauses < 0)),
    )


def _live(rows: SessionRows, starts: NDArray[np.int64]) -> LiveSessions:
    born = rows.arrival_ns[starts]
    died = np.maximum.reduceat(rows.end_ns, starts)
    lifetimes = died - born
    span = int(died.max() - born.min())
    # A session that ends when another begins still counts: births come before deaths.
    events = np.concatenate((born, died))
    steps = np.repeat(np.array([1, -1]), len(born))
    order = np.lexsort((-steps, events))
    return LiveSessions(
        peak=int(np.cumsum(steps[order]).max()),
        mean=exact_sum(lifetimes) / span if span else float(len(born)),
        lifetime_s=spread_some(lifetimes / 1e9),
    )


def _context(rows: SessionRows) -> Context:
    later = np.flatnonzero(~rows.first)
    growth = rows.input_tokens[later] - rows.input_tokens[later - 1]
    early = rows.turn < CONTEXT_TURNS
    order = np.argsort(rows.turn[early], kind="stable")
    by_turn = rows.input_tokens[early][order]
    counts = np.bincount(rows.turn[early])
    ends = np.cumsum(counts)
    medians = [
        float(np.median(by_turn[end - n : end]))
        for end, n in zip(ends.tolist(), counts.tolist(), strict=True)
    ]
    return Context(
        input_p50_by_turn=tuple(medians),
        growth_tokens=spread_of(growth[growth > 0]),
        shrinks=int(np.count_nonzero(growth < 0)),
        resets=count_resets(rows, later, growth),
    )


def _mass(rows: SessionRows, turns: NDArray[np.int64], lengths: Frequencies) -> Mass:
    several = np.repeat(turns > 1, turns)
    inputs, outputs = (
        (int(tokens[several].sum()), int(tokens.sum()))
        for tokens in (rows.input_tokens, rows.output_tokens)
    )
    return mass_of(lengths, inputs, outputs)


def mass_of(lengths: Frequencies, inputs: tuple[int, int], outputs: tuple[int, int]) -> Mass:
    """Return what sessions of several turns hold.

    Args:
        lengths: how often sessions have so many requests.
        inputs: tokens of their prompts, and of all prompts.
        outputs: the same of outputs.
    """
    single, requests = _single(lengths), int(lengths.total)
    return Mass(
        sessions=(lengths.n - single) / lengths.n,
        requests=(requests - single) / requests,
        input_tokens=inputs[0] / inputs[1] if inputs[1] else None,
        output_tokens=outputs[0] / outputs[1] if outputs[1] else None,
    )


SESSIONS = Topic(
    name="sessions",
    about="how conversations go on",
    needs=("session_id",),
    facts=Sessions,
    measure=measure_sessions,
)
