"""What to conclude from a scoreboard, in words: one verdict per rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.scoring.load.state_words import (
    uneven_words,
    unserved_words,
    unsteady_words,
    untold_words,
)
from workloadlab.scoring.measure import Measure
from workloadlab.scoring.service_level import targets_words
from workloadlab.tables import wrapped
from workloadlab.words import few_or_counted, listed, rate_words, seconds, sentence, share, three

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.scoring.paired import PairedDifference
    from workloadlab.scoring.scoreboard import Scoreboard

__all__ = [
    "Verdict",
    "effect_words",
    "value_words",
    "verdicts",
    "within_words",
]

PRICE = 0.05
"""From so much on, being behind in another latency is worth a word."""

_LATENCIES = ("ttft_s", "p99 ttft_s", "tpot_s", "p99 tpot_s", "e2e_s", "p99 e2e_s")


@dataclass(frozen=True)
class Verdict:
    """What to conclude at one rate.

    Attributes:
        rate_scale: relative to the recorded rate.
        sentence: the conclusion.
        more: what it rests on, and what limits it.
    """

    rate_scale: float
    sentence: str
    more: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the verdict as lines of 80 columns."""
        first = wrapped(f"At {rate_words(self.rate_scale)}: {self.sentence}")
        return "\n".join([first, *(wrapped(line, "  ") for line in self.more)])


def verdicts(board: Scoreboard, measure: Measure) -> list[Verdict]:
    """Return the verdict at each rate: whether the cluster holds the load, and with which router.

    Args:
        board: the scoreboard.
        measure: by which the routers are ranked.
    """
    found = []
    for scale in board.scales:
        said = list(_sentences(board, scale, measure))
        found.append(Verdict(scale, said[0], tuple(said[1:])))
    return found


def _sentences(board: Scoreboard, scale: float, measure: Measure) -> Iterator[str]:
    ran = [router for router in board.routers if board.of(router, scale)]
    able = board.comparable(scale)
    unsteady = [router for router in ran if not board.steady(router, scale)]
    lost = unserved_words(board, scale)
    said = list(_ranking(board, scale, measure, able)) if able else []
    if lost and not able and not unsteady:
        served = max(sum(run.served for run in board.of(router, scale)) for router in ran)
        yield sentence(
            f"{lost}. Latencies are of the {served:,} that were, and tell no routers apart"
        )
    else:
        state = f"{unsteady_words(board, scale, unsteady)}." if unsteady else ""
        first, *said = [*said, *([state] if state else [])]
        yield f"{sentence(f'{lost}; latencies are of the others')} {first}" if lost else first
    yield from said
    if unsteady and not able:
        yield (
            "Latencies then depend on how long the log lasts and do not tell routers apart. Add "
            "instances, or lower the rate, and replay again."
        )
    fewer = [router for router in ran if router not in able and router not in unsteady]
    if able and fewer:
        yield f"Not ranked, since fewer requests are served: {listed(fewer)}."
    if able and not any(board.told(router, scale) for router in able):
        whose = "" if len(able) == len(ran) else f" with {listed(able)}"
        why = untold_words(board, scale, able)
        yield f"Whether the load is held{whose} cannot be told: {why}. Replay a longer log."
    yield from map(sentence, uneven_words(board, scale))
    if board.slo:
        yield from _service_level(board, scale, ran, measure)


def _ranking(board: Scoreboard, scale: float, measure: Measure, able: list[str]) -> Iterator[str]:
    ranked = [router for router in board.ranked(scale, measure) if router in able]
    if not ranked:
        e2e = Measure.named("mean e2e_s")
        instead = f'; compare by "{e2e.name}"' if board.ranked(scale, e2e) else ""
        yield f"No run records the {measure.noun}{instead}."
        return
    best, rest = ranked[0], ranked[1:]
    value = _with_interval(board, best, scale, measure)
    noun = measure.noun
    if not rest:
        yield f"The {noun} of {best} is {value}."
        return
    pairs = {router: board.compared(router, best, scale, measure) for router in rest}
    superlative = "highest" if measure.metric.better == "higher" else "lowest"
    if not any(pairs.values()):
        yield f"The {superlative} {noun} is that of {best}, {value}; pairs are not compared here."
        return
    equal = [r for r, pair in pairs.items() if pair and pair.equal]
    apart = [r for r, pair in pairs.items() if pair and pair.significant and not pair.equal]
    unclear = [r for r in rest if r not in equal and r not in apart]
    if all(pair and pair.identical for pair in pairs.values()):
        if board.instances == 1:
            yield f"One instance leaves nothing to route: the {noun} of any router is {value}."
        else:
            yield f"Any of them: the {noun} of {listed([best, *rest])} is equal, {value}."
        return
    price = list(_price(board, scale, measure, best, ranked))
    if len(equal) == len(rest):
        yield (
            f"Any of them, no difference matters: the {noun} of {listed([best, *equal])} is the same "
            f"within 1%, {value}."
        )
        yield from (said.replace("But its", f"But with {best} the", 1) for said in price)
        return
    if not apart:
        yield from _not_apart(board, scale, measure, best, pairs)
    else:
        ahead = _ahead(board, scale, measure, best, apart)
        but, price = " ".join(price[:1]), price[1:]
        near = f"; not separated from {few_or_counted(unclear)}" if unclear else ""
        same = f"; the same within 1%: {few_or_counted(equal)}" if equal else ""
        yield f"Best is {best}: {superlative} {noun}, {value}{ahead}{near}{same}. {but}".rstrip()
    if equal and (not apart or few_or_counted(equal) != listed(equal)):
        yield f"The same within 1%: {listed(equal)}."
    yield from price


def _not_apart(
    board: Scoreboard,
    scale: float,
    measure: Measure,
    best: str,
    pairs: dict[str, PairedDifference | None],
) -> Iterator[str]:
    """Say that no router is separated from the best, and which differences these runs tell apart."""
    superlative = "highest" if measure.metric.better == "higher" else "lowest"
    first = f"{superlative} {measure.noun}, {_with_interval(board, best, scale, measure)}"
    limits = [pair.least_detectable for pair in pairs.values() if pair and not pair.equal]
    known = [limit for limit in limits if limit is not None]
    least = max(known, default=None)
    if len(known) < len(limits) or (least is not None and least > 1):
        yield (
            f"The requests are too few, or too unlike, to rank the routers: {best} has the {first}, but "
            "even twice that would hardly stand out. Replay more requests or seeds."
        )
        return
    yield f"No router is separated from {best}: {first}."
    if least is not None:
        yield (
            f"These runs tell differences above {share(least)} apart, 4 times out of 5 (less often "
            "where load drifts or nearly saturates); more requests or seeds tell smaller ones."
        )


def _price(
    board: Scoreboard, scale: float, measure: Measure, best: str, ranked: list[str]
) -> Iterator[str]:
    """Say in which other latencies the best is clearly behind another router."""
    said = {measure.metric.name}
    for other in map(Measure.named, _LATENCIES):
        name, part = other.metric.name, other.part
        means = {router: board.mean(router, scale, name, part) for router in ranked}
        known = {router: value for router, value in means.items() if value is not None}
        if name in said or best not in known:
            continue
        least = min(known, key=known.__getitem__)
        pair = board.compared(best, least, scale, other)
        if pair and pair.significant and not pair.equal and (pair.effect or 0.0) > PRICE:
            said.add(name)
            highest = known[best] == max(known.values()) and len(known) > 2
            yield (
                f"But its {other.noun} is {value_words(other, known[best])}, "
                f"{'the highest of all, ' if highest else ''}{effect_words(pair)} {least}."
            )


def _ahead(board: Scoreboard, scale: float, measure: Measure, best: str, apart: list[str]) -> str:
    """Say by how much the best is ahead of the baseline, else of the next that is separated."""
    other = board.baseline if board.baseline in apart else apart[0]
    pair = board.compared(best, other, scale, measure)
    return f", {effect_words(pair)} {other}" if pair and pair.effect is not None else ""


def effect_words(pair: PairedDifference) -> str:
    """Say an effect with its interval: `29% (21% to 38%) below`."""
    if pair.effect_high is None:
        return f"{share(abs(pair.effect or 0.0))} above (without an upper bound)"
    effect, low, high = (
        abs(each or 0.0) for each in (pair.effect, pair.effect_low, pair.effect_high)
    )
    direction = "below" if (pair.effect or 0.0) < 0 else "above"
    if (pair.effect_low or 0.0) * (pair.effect_high or 0.0) < 0:
        low, high = pair.effect_low or 0.0, pair.effect_high or 0.0
        return f"{share(effect)} {direction} ({low:+.1%} to {high:+.1%})"
    return f"{share(effect)} ({share(min(low, high))} to {share(max(low, high))}) {direction}"


def _service_level(
    board: Scoreboard, scale: float, ran: list[str], measure: Measure
) -> Iterator[str]:
    """Say who meets the targets most, and, where another is named best, how far that one does."""
    met = {router: board.mean(router, scale, "slo_attainment") for router in ran}
    known = {router: value for router, value in met.items() if value is not None}
    if not known:
        return
    most, fewest = max(known, key=lambda r: known[r]), min(known, key=lambda r: known[r])
    first = next(iter(board.ranked(scale, measure)), most)
    first = first if first in known and first in board.comparable(scale) else most
    said = {router: share(value) for router, value in known.items()}
    most = first if said[first] == said[most] else most
    targets = targets_words(board.slo)
    if said[most] == said[fewest]:
        yield f"The targets {targets} are met by {said[most]} of the requests."
    elif most == first:
        yield (
            f"The targets {targets} are met by {said[most]} of the requests with {most}, by "
            f"{said[fewest]} with {fewest}."
        )
    else:
        least = f"; fewest with {fewest}, {said[fewest]}" if said[fewest] != said[first] else ""
        yield (
            f"Most requests meet the targets {targets} with {most}, {said[most]}; with {first} "
            f"{said[first]} do{least}."
        )


def value_words(measure: Measure, value: float) -> str:
    """Return a measure's value with its unit, unless its noun names that."""
    unit = measure.metric.unit
    if unit == "s":
        return seconds(value)
    if unit == "share":
        return share(value)
    return three(value) if unit == "1" or unit in measure.noun else f"{three(value)} {unit}"


def _with_interval(board: Scoreboard, router: str, scale: float, measure: Measure) -> str:
    value = board.mean(router, scale, measure.metric.name, measure.part) or 0.0
    found = board.interval(router, scale, measure)
    low, high = (found.low, found.high) if found else (None, None)
    return within_words(measure, value, low, high)


def within_words(measure: Measure, value: float, low: float | None, high: float | None) -> str:
    """Say a value, and its interval where it has one that can be told from it."""
    said = value_words(measure, value)
    if low is None or high is None:
        return said
    ends = [value_words(measure, end) for end in (low, high)]
    if ends == [said, said]:
        return said
    unit = said.partition(" ")[2]
    if measure.metric.unit != "s" and unit:
        ends[0] = ends[0].removesuffix(f" {unit}")
    return f"{said} ({' to '.join(ends)})"
