"""The batch that a log's overlapping requests imply, without any simulation.

Between its first and its last token a request takes part in every step of its instance, so its
decode time is the sum of those steps. Their number is its output length, and the requests that overlap
it say what the steps held: 100 tokens in 2 s beside three others are 100 steps of 20 ms with four
sequences each. A linear regression on such rows gives the first estimate of the step time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from workloadlab.calibration.observed import Observed
    from workloadlab.simulation import Pool

__all__ = ["Reconstruction", "reconstruct"]

Floats = Any

_NEXT, _NEXT_BUT_ONE = 0.5, 1.5
"""Steps that a request waits on average for the next step to begin, or for the one after it."""


@dataclass(frozen=True)
class Reconstruction:
    """Totals and extremes of the engine's work, and step-time coefficients that explain them.

    Attributes:
        busy_s: instance-seconds with a request in them.
        steps: engine steps in them, estimated.
        totals: of each feature over all steps: 1, prefill tokens, prefill context, decode
            sequences, decode context.
        coefficients: seconds per unit of each, non-negative.
        requests, mean_ttft_s: number of requests, and their mean time to first token.
        most_seqs, most_waiting: largest number of requests at once that decode, that do not yet.
        most_blocks: KV blocks of the running requests at their peak.
        shapes: steps that the log implies, rows of (p, x, n, c).
    """

    busy_s: float
    steps: float
    totals: Floats
    coefficients: Floats
    requests: int
    mean_ttft_s: float
    most_seqs: int
    most_waiting: int
    most_blocks: int
    shapes: Floats


def reconstruct(observed: Observed, pool: Pool, scored: Floats) -> Reconstruction:
    """Rebuild the batches of every lane and regress durations of the `scored` requests on them."""
    rows, targets, peaks, shapes = [], [], [], []
    busy = steps = 0.0
    totals = np.zeros(5)
    for lane in range(len(observed.lanes)):
        here = (observed.lane == lane) & np.isfinite(observed.end_s)
        if not here.any():
            continue
        timeline = _Timeline.of(observed, here, pool, observed.lanes[lane].instances)
        busy += timeline.busy_s * observed.lanes[lane].instances
        steps += timeline.steps * observed.lanes[lane].instances
        totals += timeline.totals
        peaks.append(timeline.peaks)
        shapes.append(timeline.shapes(pool.max_num_batched_tokens))
        wanted = scored[here]
        until_next = _NEXT_BUT_ONE if pool.async_scheduling else _NEXT
        for design, seconds in (
            timeline.decode_rows(wanted),
            timeline.first_rows(wanted, until_next),
        ):
            rows.append(design / seconds[:, None])
            targets.append(np.ones(len(seconds)))
    totals[0] = steps
    most = np.max(peaks, axis=0)
    return Reconstruction(
        busy_s=busy,
        steps=steps,
        totals=totals,
        coefficients=_regress(np.concatenate(rows), np.concatenate(targets)),
        requests=len(observed),
        mean_ttft_s=float(np.mean(observed.ttft_s[scored])),
        most_seqs=int(most[0]),
        most_waiting=int(most[1]),
        most_blocks=int(most[2]),
        shapes=np.concatenate(shapes),
    )


def _regress(design: Floats, target: Floats) -> Floats:
    from scipy.optimize import nnls

    scale = np.linalg.norm(design, axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(design / scale, target, maxiter=1000)
    return solution / scale


def chunk_context(input_tokens: Floats, budget: int) -> Floats:
    """Sum over the chunks of a prompt of tokens x tokens before them, chunked at the budget."""
    whole, rest = np.divmod(input_tokens, budget)
    return budget**2 * whole * (whole - 1) / 2.0 + rest * whole * float(budget)


@dataclass(frozen=True)
class _Timeline:
    """The work of one lane up to each moment, as integrals over time that can be interpolated."""

    moments: Floats
    seqs: Floats
    context: Floats
    prompts: Floats
    prompt_context: Floats
    first_s: Floats
    end_s: Floats
    arrival_s: Floats
    fresh_tokens: Floats
    cached_tokens: Floats
    output_tokens: Floats
    own_context: Floats
    busy_s: float
    steps: float
    totals: Floats
    peaks: tuple[float, float, float]

    @classmethod
    def of(cls, observed: Observed, here: Floats, pool: Pool, instances: int) -> _Timeline:
        arrival, first, end = (
            getattr(observed, name)[here] for name in ("arrival_s", "first_s", "end_s")
        )
        inputs, outputs = observed.input_tokens[here], observed.output_tokens[here]
        cached = observed.cached_tokens[here]
        fresh = inputs - cached
        first = np.where(np.isfinite(first), first, end)
        later = np.maximum(outputs - 1, 0)
        rate = later / np.maximum(end - first, 1e-9)
        moments, order = np.unique(np.concatenate([first, end]), return_inverse=True)
        begins, ends = order[: len(first)], order[len(first) :]

        def running(values: Floats) -> Floats:
            change = np.bincount(begins, values, len(moments))
            change -= np.bincount(ends, values, len(moments))
            return np.cumsum(change)

        count = running(np.ones(len(first)))
        tokens = running(inputs - rate * first) + running(rate) * moments
        own_context = cached * fresh + chunk_context(fresh, pool.max_num_batched_tokens)
        gaps = np.diff(moments)
        seqs = np.concatenate([[0.0], np.cumsum(count[:-1] * gaps)])
        ahead = tokens[:-1] + running(rate)[:-1] * gaps / 2
        typical = np.median(((end - first) / np.maximum(later, 1))[later > 0])
        active = _covered(arrival, end)
        blocks = (tokens / pool.block_size + count / 2).max() / instances
        waiting = _most_at_once(arrival, first) / instances
        return cls(
            moments=moments,
            seqs=seqs / instances,
            context=np.concatenate([[0.0], np.cumsum(ahead * gaps)]) / instances,
            prompts=np.cumsum(np.bincount(begins, fresh, len(moments))) / instances,
            prompt_context=np.cumsum(np.bincount(begins, own_context, len(moments))) / instances,
            first_s=first,
            end_s=end,
            arrival_s=arrival,
            fresh_tokens=fresh,
            cached_tokens=cached,
            output_tokens=outputs,
            own_context=own_context,
            busy_s=active,
            steps=active / float(typical),
            totals=np.array(
                [0.0, fresh.sum(), own_context.sum(), later.sum(),
                 (later * inputs + later * (later + 1) / 2.0).sum()]
            ),
            peaks=(np.ceil(count.max() / instances), waiting, blocks),
        )  # fmt: skip

    def shapes(self, budget: int) -> Floats:
        """Decode steps between two moments, and with the prompts that end there."""
        gaps = np.maximum(np.diff(self.moments), 1e-12)
        decodes = np.column_stack([np.diff(self.seqs) / gaps, np.diff(self.context) / gaps])
        decodes = np.rint(np.maximum(decodes[decodes[:, 0] > 0.5], 1.0))
        nothing = np.zeros((len(decodes), 2))
        edges = np.searchsorted(self.moments, self.first_s, side="left") - 1
        at = np.clip(edges, 0, len(gaps) - 1)
        seqs = np.where(edges < 0, 0.0, np.rint(np.diff(self.seqs)[at] / gaps[at]))
        context = np.where(seqs > 0, np.rint(np.diff(self.context)[at] / gaps[at]), 0.0)
        whole = np.minimum(self.fresh_tokens, budget).astype(float)
        held = self.cached_tokens + np.maximum(self.fresh_tokens - budget, 0)
        before = held * np.minimum(whole, budget)
        prompts = [
            np.column_stack([tokens, cached, seqs, context])
            for tokens, cached in (
                (whole, whole * self.cached_tokens),
                (whole, before),
                (np.ones_like(whole), before),
            )
        ]
        return np.concatenate([np.column_stack([nothing, decodes]), *prompts])

    def decode_rows(self, wanted: Floats) -> tuple[Floats, Floats]:
        """Decode time of each request with enough tokens: (work of its steps, seconds)."""
        steps = self.output_tokens - 1
        span = self.end_s - self.first_s
        use = wanted & (steps >= 4) & (span > 0)
        begin, end, steps, span = self.first_s[use], self.end_s[use], steps[use], span[use]

        def over(integral: Floats) -> Floats:
            return np.interp(end, self.moments, integral) - np.interp(begin, self.moments, integral)

        per_second = steps / span
        design = np.column_stack([
            steps, over(self.prompts), over(self.prompt_context),
            over(self.seqs) * per_second, over(self.context) * per_second,
        ])  # fmt: skip
        return design, span

    def first_rows(self, wanted: Floats, until_next: float) -> tuple[Floats, Floats]:
        """TTFT of requests that found nobody waiting: `until_next` steps of others, then their own."""
        order = np.argsort(self.arrival_s, kind="stable")
        latest = np.empty(len(order))
        latest[order] = np.concatenate([[-np.inf], np.maximum.accumulate(self.first_s[order])[:-1]])
        upcoming = np.empty(len(order))
        upcoming[order] = np.append(self.arrival_s[order][1:], np.inf)
        alone = (latest < self.arrival_s) & (upcoming > self.first_s)
        use = wanted & alone & (self.first_s > self.arrival_s)
        begin = self.arrival_s[use]
        edges = np.searchsorted(self.moments, begin, side="right") - 1
        gaps = np.append(np.diff(self.moments), 1.0)

        def now(integral: Floats) -> Floats:
            slope = np.append(np.diff(integral), 0.0) / gaps
            return np.where(edges < 0, 0.0, slope[edges])

        seqs = now(self.seqs)
        steps = 1.0 + until_next * (seqs > 0)
        design = np.column_stack([
            steps, self.fresh_tokens[use], self.own_context[use],
            seqs * steps, now(self.context) * steps,
        ])  # fmt: skip
        return design, (self.first_s - self.arrival_s)[use]


def _most_at_once(begin: Floats, end: Floats) -> int:
    """Largest number of intervals that overlap."""
    moments = np.concatenate([begin, end])
    change = np.repeat([1, -1], [len(begin), len(end)])
    return int(np.cumsum(change[np.lexsort((change, moments))]).max())


def _covered(begin: Floats, end: Floats) -> float:
    """Length of the union of intervals."""
    order = np.argsort(begin, kind="stable")
    begin, reach = begin[order], np.maximum.accumulate(end[order])
    idle = np.maximum(begin[1:] - reach[:-1], 0.0).sum()
    return float(reach[-1] - begin[0] - idle)
