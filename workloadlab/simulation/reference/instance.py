"""One instance of the readable engine: lists, one step after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    store: BlockStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = BlockStore(self.pool.blocks)

    def blocks_for(self, tokens: int) -> int:
        return -(-tokens // self.pool.block_size)

    def fits(self, input_tokens: int, output_tokens: int) -> bool:
        """Say whether a request can ever be served: its last token needs no slot of its own."""
        return self.blocks_for(input_tokens + output_tokens - 1) <= self.pool.blocks

    def accept(self, sequence: Sequence, now: float) -> None:
        if not self.stepping:
            self.now = max(self.now, now)
        sequence.accepted = self.sent
        if self.pool.async_scheduling and self.stepping:
            sequence.ready = self.steps + 2
        self.waiting.append(sequence)
        self.in_flight += 1
        self.sent += 1

    @property
    def has_work(self) -> bool:
        return bool(self.running or self.waiting)

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

    def schedule(self) -> None:
        self.batch = []
        if self.pool.batching == "chunked":
            budget, preempted = self.serve_running(self.pool.max_num_batched_tokens)
            if not preempted:
                self.admit(budget)
            return
        if self.pool.batching == "prefill_first" or not self.running:
            self.admit(self.pool.max_num_batched_tokens)
        if not self.batch:
            self.serve_running(self.pool.max_num_batched_tokens)

    def chunk(self, tokens: int, budget: int) -> int:
        """Return how many of a prompt's tokens the next step may compute."""
        if self.pool.batching != "chunked":
            return tokens
        most = self.pool.long_prefill_token_threshold or tokens
        return min(tokens, most, budget)

    def serve_running(self, budget: int) -> tuple[int, bool]:
        """Serve the running in order of admission; return the budget left, and whether one had to go."""
        preempted = False
        for sequence in list(self.running):
            if sequence not in self.running:
                continue
            left = sequence.total - sequence.computed
            tokens = 1 if sequence.decoding else self.chunk(left, budget)
            needed = self.blocks_for(sequence.computed + tokens) - sequence.blocks
            while needed > self.store.available and sequence in self.running:
                preempted = True
                budget += self.preempt()
            if sequence in self.running:
                self.serve(sequence, tokens, needed)
                budget -= tokens
        return budget, preempted

    def admit(self, budget: int) -> None:
        idle = not self.running
        while self.waiting and budget > 0 and len(self.running) < self.pool.max_num_seqs:
            able = [s for s in self.candidates(idle=idle) if self.admission(s, budget)[3]]
            if not able:
                return
            sequence = able[0]
            found, tokens, needed, _ = self.admission(sequence, budget)
            if self.pool.batching != "chunked" and self.batch and tokens > budget:
                return
            self.waiting.remove(sequence)
            self.running.append(sequence)
            for name in sequence.ids[:found]:
                self.store.use(name)
            sequence.used = [True] * found
            sequence.blocks, sequence.computed = found, found * self.pool.block_size
            self.serve(sequence, tokens, needed)
            budget -= tokens
            if math.isnan(self.outcome.scheduled_s[sequence.row]):
                self.outcome.scheduled_s[sequence.row] = self.now
                self.outcome.cached_tokens[sequence.row] = sequence.computed

    def candidates(self, *, idle: bool) -> list[Sequence]:
        """Return who may be admitted next, first things first; only bin packing looks past it."""
        there = [s for s in self.waiting if idle or s.ready <= self.steps]
        order = self.pool.queue_order
        if order == "fcfs":
            return [s for s in self.waiting[:1] if s in there]
        keys = {
            "priority": lambda s: s.priority,
            "least_work_left": lambda s: s.predicted - s.generated,
            "bin_packing": lambda s: -s.total,
        }
        ranked = sorted(there, key=lambda s: (keys[order](s), s.accepted))
        return ranked if order == "bin_packing" else ranked[:1]

    def admission(self, sequence: Sequence, budget: int) -> tuple[int, int, int, bool]:
        """Return (cached blocks, first chunk, blocks for it, whether all that is asked for is free)."""
        limit = (sequence.total - 1) // self.pool.block_size
        found = self.store.hits(sequence.ids[:limit])
        idle = sum(self.store.users[name] == 0 for name in sequence.ids[:found])
        cached = found * self.pool.block_size
        tokens = self.chunk(sequence.total - cached, budget)
        needed = wanted = self.blocks_for(cached + tokens) - found
        if self.pool.reserve_full_isl:
            wanted = self.blocks_for(sequence.total) - found
        spare = self.pool.spare_blocks if self.running else 0
        return found, tokens, needed, wanted + spare <= self.store.available - idle

    def serve(self, sequence: Sequence, tokens: int, needed: int) -> None:
        """Put tokens of a running sequence into the batch, with the blocks they need."""
        self.store.take(needed)
        sequence.blocks += needed
        self.batch.append((sequence, tokens))
        if not sequence.decoding:
            self.store.enter(sequence, (sequence.computed + tokens) // self.pool.block_size)

    def preempt(self) -> int:
        """Send one back to the queue; return the tokens that it had in this step's batch."""
        sequence = self.running[-1]
        if self.pool.queue_order == "priority":
            sequence = max(self.running, key=lambda s: (s.priority, s.accepted))
        self.running.remove(sequence)
        freed = sum(tokens for s, tokens in self.batch if s is sequence)
        self.batch = [(s, tokens) for s, tokens in self.batch if s is not sequence]
        self.release(sequence)
        sequence.computed = 0
        sequence.decoding = False
        self.waiting.insert(0, sequence)
        self.outcome.preemptions[sequence.row] += 1
        return freed

    def release(self, sequence: Sequence) -> None:
        self.store.enter(sequence, sequence.computed // self.pool.block_size)
        self.store.release(sequence)

    def complete(self) -> None:
        self.stepping = False
        self.steps += 1
        for sequence, tokens in self.batch:
            sequence.computed += tokens
            if sequence.computed < sequence.total:
                continue
            sequence.generated += 1
            sequence.decoding = True
            if math.isnan(self.outcome.first_token_s[sequence.row]):
                self.outcome.first_token_s[sequence.row] = self.now
            if sequence.generated == sequence.output:
                self.running.remove(sequence)
                self.release(sequence)
                self.outcome.end_s[sequence.row] = self.now
                self.in_flight -= 1
                self.finished.append(sequence.output)
                self.served.append(sequence)
                self.ended.append((sequence.row, self.now))
        self.batch = []

    def clear(self, now: float) -> list[int]:
        """Lose the step in flight, the cache and all sequences; return the rows of these."""
        rows = [s.row for s in self.running + self.waiting]
        self.running, self.waiting, self.batch = [], [], []
        self.now, self.stepping = now, False
        self.in_flight = 0
        self.served = []
        self.store = BlockStore(self.pool.blocks)
        return rows

    def report(self, view: Any) -> None:
        """Write what the engine reports about itself."""
        view.running = len(self.running)
        view.waiting = len(self.waiting)
        view.queued_tokens = sum(
            s.total - s.computed for s in self.waiting + self.running if not s.decoding
        )
        view.output_tokens_left = sum(
            max(0, s.predicted - s.generated) for s in self.waiting + self.running
        )
        view.context_tokens = sum(s.computed for s in self.running)
        view.kv_blocks_used = self.pool.blocks - self.store.available
        view.ended = len(self.served)
        view.ended_input_tokens = sum(s.input for s in self.served)
        view.ended_output_tokens = sum(s.output for s in self.served)
        view.prefill_total_s = view.decode_total_s = 0.0
        outcome = self.outcome
        for row in (s.row for s in self.served):
            view.prefill_total_s += outcome.first_token_s[row] - outcome.scheduled_s[row]
            view.decode_total_s += outcome.end_s[row] - outcome.first_token_s[row]
        view.next_decode_s = self.pool.decode_step_s(len(self.running), view.context_tokens)
