"""One instance of the readable engine: lists, one step after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workloadlab.simulation.reference.batch_formation import blocks_for, in_vain, let_go, schedule
from workloadlab.simulation.reference.kv_blocks import BlockStore, Sequence

if TYPE_CHECKING:
    from workloadlab.simulation.outcome import Outcome
    from workloadlab.simulation.pool import Pool

__all__ = ["Engine", "uniform_draw"]

MASK = (1 << 64) - 1


def uniform_draw(state: int, count: int) -> float:
    """Return the `count`-th uniform number in [0, 1) of a run: splitmix64 of state and count."""
    z = (state + (count + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


@dataclass
class Engine:
    """One instance, stepping."""

    index: int
    pool: Pool
    outcome: Outcome
    seed: int
    waiting: list[Sequence] = field(default_factory=list)
    running: list[Sequence] = field(default_factory=list)
    batch: list[tuple[Sequence, int]] = field(default_factory=list)
    now: float = 0.0
    stepping: bool = False
    in_flight: int = 0
    sent: int = 0
    steps: int = 0
    outside: int = 0
    finished: list[int] = field(default_factory=list)
    served: list[Sequence] = field(default_factory=list)
    ended: list[tuple[int, float]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    takes_requests: bool = True
    starts_left: int = 0
    eligible: int = 0
    holds: bool = False
    carries: bool = False
    saturated: bool = False
    executed: int = 0
    last_prefill: int = field(init=False)
    wave: int = 0
    store: BlockStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = BlockStore(self.pool.blocks, caching=self.pool.prefix_caching)
        self.last_prefill = -self.pool.prefill_schedule_interval

    def fits(self, input_tokens: int, output_tokens: int) -> bool:
        """Say whether a request can ever be served: its last token needs no slot of its own."""
        if input_tokens >= self.pool.most_tokens:
            return False
        tokens = min(input_tokens + output_tokens, self.pool.most_tokens)
        return blocks_for(self, tokens - 1) <= self.pool.blocks

    @property
    def backlog_tokens(self) -> int:
        """Prompt tokens of the requests that have no token yet."""
        first_s = self.outcome.first_token_s
        return sum(s.input for s in self.waiting + self.running if math.isnan(first_s[s.row]))

    def accept(self, sequence: Sequence, now: float) -> None:
        sequence.output = min(sequence.output, self.pool.most_tokens - sequence.input)
        if not self.stepping:
            self.now = max(self.now, now)
        sequence.accepted = self.sent
        if self.pool.async_scheduling:
            sequence.ready = self.steps + 1 + self.stepping
        self.waiting.append(sequence)
        self.in_flight += 1
        self.sent += 1

    @property
    def has_work(self) -> bool:
        return bool(self.running or self.waiting)

    def schedule(self) -> None:
        """Form the batch of the next step."""
        schedule(self)

    def begin(self, fullest: int) -> float:
        """Return how long the step of the batch takes, the overhead included.

        Args:
            fullest: tokens of the fullest batch among the ranks that step together.
        """
        prefills = [(s, n) for s, n in self.batch if not s.decoding]
        decodes = [s for s, _ in self.batch if s.decoding]
        shape = {
            "prefill_tokens": sum(n for _, n in prefills),
            "prefill_context_tokens": sum(n * s.computed for s, n in prefills),
            "decode_seqs": len(decodes),
            "decode_context_tokens": sum(s.computed for s in decodes),
        }
        self.outside += not self.pool.latency.in_domain(shape)[0]
        contexts = [s.computed for s in decodes]
        seconds = self.noise() * self.pool.latency.step_time_s(
            **{**shape, "decode_context_tokens": self.attended(contexts)},
            longest_context_tokens=0 if self.pool.attention_slots else max(contexts, default=0),
            max_cudagraph_capture_size=self.pool.captured_tokens,
            fullest_batch_tokens=fullest,
        )
        used = self.pool.blocks - self.store.available
        self.log.append({**shape, "waiting": len(self.waiting), "kv_blocks_used": used})
        overhead_s = self.pool.step_overhead_s + self.pool.sequence_overhead_s * len(self.batch)
        return max(seconds, overhead_s) if self.pool.async_scheduling else seconds + overhead_s

    @property
    def batch_tokens(self) -> int:
        """Count the tokens of the batch."""
        return sum(tokens for _, tokens in self.batch)

    def attended(self, contexts: list[int]) -> float:
        """Return the context tokens that decode attention takes as long as."""
        wide = self.pool.attention_slots or math.inf
        if wide == math.inf or not contexts:
            return sum(contexts)
        if len(contexts) < wide:
            return sum(contexts) * (wide / (wide - len(contexts) / 2))
        return sum(contexts) + wide * max(contexts)

    def noise(self) -> float:
        """Return the factor of this step: lognormal of mean 1."""
        deviation = self.pool.log_noise
        if deviation == 0:
            return 1.0
        stream = self.seed ^ ((self.index + 1) * 0xD1342543DE82EF95 & MASK)
        u, v = (uniform_draw(stream, 2 * self.steps + k) for k in (0, 1))
        normal = math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)
        return math.exp(deviation * normal - deviation * deviation / 2)

    def complete(self) -> None:
        """End the step: each sequence whose known tokens are computed gets one more."""
        self.stepping = False
        self.steps += 1
        for sequence, tokens in self.batch:
            if sequence.ended:  # it decoded in vain
                continue
            sequence.computed += tokens
            if sequence.computed < sequence.total:
                continue
            sequence.generated += 1
            sequence.decoding = True
            if math.isnan(self.outcome.first_token_s[sequence.row]):
                self.outcome.first_token_s[sequence.row] = self.now
            if sequence.generated == sequence.output:
                self.end(sequence)
        self.batch = []
        idle = not self.waiting and all(s.ended and not in_vain(self, s) for s in self.running)
        if idle or not self.pool.async_scheduling:
            let_go(self)

    def end(self, sequence: Sequence) -> None:
        """Write down that a sequence has given its last token."""
        sequence.ended = True
        self.outcome.end_s[sequence.row] = self.now
        self.in_flight -= 1
        self.finished.append(sequence.output)
        self.served.append(sequence)
        self.ended.append((sequence.row, self.now))

    def clear(self, now: float) -> list[int]:
        """Lose the step in flight, the cache and all sequences; return the rows of these."""
        rows = [s.row for s in self.running + self.waiting if not s.ended]
        self.running, self.waiting, self.batch = [], [], []
        self.now, self.stepping = now, False
        self.served = []
        self.in_flight = self.wave = 0
        self.saturated = False
        self.store = BlockStore(self.pool.blocks, caching=self.pool.prefix_caching)
        return rows

    def report(self, view: Any) -> None:
        """Write what the engine reports about itself."""
        running = [s for s in self.running if not s.ended]
        view["running"] = len(running)
        view["waiting"] = len(self.waiting)
        view["queued_tokens"] = sum(
            s.total - s.computed for s in self.waiting + running if not s.decoding
        )
        view["output_tokens_left"] = sum(
            max(0, s.predicted - s.generated) for s in self.waiting + running
        )
        view["context_tokens"] = sum(s.computed for s in running)
        view["kv_blocks_used"] = self.pool.blocks - self.store.available
        view["ended"] = len(self.served)
        view["ended_input_tokens"] = sum(s.input for s in self.served)
        view["ended_output_tokens"] = sum(s.output for s in self.served)
        outcome, prefill_s, decode_s = self.outcome, 0.0, 0.0
        for row in (s.row for s in self.served):
            prefill_s += outcome.first_token_s[row] - outcome.scheduled_s[row]
            decode_s += outcome.end_s[row] - outcome.first_token_s[row]
        view["prefill_total_s"], view["decode_total_s"] = prefill_s, decode_s
        view["next_decode_s"] = self.pool.decode_step_s(len(running), view["context_tokens"])
