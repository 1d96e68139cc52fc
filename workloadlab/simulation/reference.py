"""The readable engine: lists, one loop, no tricks. The compiled kernel must equal it.

Scheduling follows vLLM V1: each step serves the running requests first, in order of admission, then
admits from the waiting queue while the token budget, `max_num_seqs` and KV blocks allow. Prompts are
prefilled in chunks. A request that finds no free block preempts the last admitted one, which goes back
to the head of the queue and is recomputed, prompt and generated tokens, when it is admitted again.

Two conventions order simultaneous events: steps that end at t end before arrivals at t are routed, and
steps that start at t start after them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing import DEFER, INSTANCE, REQUEST, Router, empty_memory
from workloadlab.simulation.reference_blocks import BlockStore, Sequence
from workloadlab.simulation.reference_index import IndexByDictionary
from workloadlab.simulation.workload import Ints, Outcome, Workload, seed_state

if TYPE_CHECKING:
    from workloadlab.simulation.cluster import Cluster, Pool

__all__ = ["ASSUMED_OUTPUT_TOKENS", "replay_by_steps", "uniform_draw"]

ASSUMED_OUTPUT_TOKENS = 256
"""Predicted output length while nothing has finished and the trace predicts nothing."""

UNLIMITED_BLOCKS = 1 << 40
PREFIX_KEY_TOKENS = 256
MASK = (1 << 64) - 1


def uniform_draw(state: int, count: int) -> float:
    """Return the `count`-th uniform number in [0, 1) of a run: splitmix64 of state and count."""
    z = (state + (count + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


def spare_blocks(pool: Pool) -> int:
    """Return the blocks that an admission beside running requests must leave free."""
    return 0 if pool.kv_blocks is None else math.ceil(pool.watermark * pool.kv_blocks)


def prefix_keys(workload: Workload) -> Ints:
    """Return per request the id of its first whole prompt blocks: 256 tokens of them, at least one."""
    size = workload.block_size
    if size == 0:
        return np.full(len(workload), -1)
    named = np.minimum(np.diff(workload.first_block), workload.input_tokens // size)
    depth = np.minimum(named, max(PREFIX_KEY_TOKENS // size, 1))
    padded = np.append(workload.block_ids, -1).astype(np.int64)
    keys: Ints = np.where(
        depth > 0, padded[workload.first_block[:-1] + np.maximum(depth, 1) - 1], -1
    )
    return keys


@dataclass
class Engine:
    """One instance, stepping."""

    pool: Pool
    outcome: Outcome
    waiting: list[Sequence] = field(default_factory=list)
    running: list[Sequence] = field(default_factory=list)
    batch: list[tuple[Sequence, int]] = field(default_factory=list)
    now: float = 0.0
    stepping: bool = False
    in_flight: int = 0
    predicted_left: int = 0
    steps: int = 0
    outside: int = 0
    finished: list[int] = field(default_factory=list)
    ended: list[tuple[int, float]] = field(default_factory=list)
    store: BlockStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = BlockStore(self.kv_blocks)

    @property
    def kv_blocks(self) -> int:
        return UNLIMITED_BLOCKS if self.pool.kv_blocks is None else self.pool.kv_blocks

    def blocks_for(self, tokens: int) -> int:
        return -(-tokens // self.pool.block_size)

    def fits(self, prompt: int, output: int) -> bool:
        """Say whether a request can ever be served: its last token needs no slot of its own."""
        return self.blocks_for(prompt + output - 1) <= self.kv_blocks

    def accept(self, sequence: Sequence, now: float) -> None:
        if not self.stepping:
            self.now = max(self.now, now)
        self.waiting.append(sequence)
        self.in_flight += 1
        self.predicted_left += sequence.predicted

    def advance(self, until: float) -> None:
        """Run every step that ends by `until`; start none at or after it."""
        while True:
            if self.stepping:
                if self.now > until:
                    return
                self.complete()
            if not (self.running or self.waiting) or self.now >= until:
                return
            self.start()

    def start(self) -> None:
        self.schedule()
        prefills = [(s, n) for s, n in self.batch if not s.decoding]
        decodes = [s for s, _ in self.batch if s.decoding]
        shape = {
            "prefill_tokens": sum(n for _, n in prefills),
            "prefill_context_tokens": sum(n * s.computed for s, n in prefills),
            "decode_seqs": len(decodes),
            "decode_context_tokens": sum(s.computed for s in decodes),
        }
        self.steps += 1
        self.outside += not self.pool.latency.in_domain(shape)[0]
        model_s, overhead_s = self.pool.latency.step_time_s(**shape), self.pool.step_overhead_s
        self.now += max(model_s, overhead_s) if self.pool.async_scheduling else model_s + overhead_s
        self.stepping = True

    def schedule(self) -> None:
        budget = self.pool.max_num_batched_tokens
        self.batch = []
        preempted = False
        index = 0
        while index < len(self.running) and budget > 0:
            sequence = self.running[index]
            tokens = min(sequence.total - sequence.computed, budget)
            needed = self.blocks_for(sequence.computed + tokens) - sequence.blocks
            while needed > self.store.available:
                preempted = True
                if self.preempt_last() is sequence:
                    break
            if index == len(self.running):
                break
            self.serve(sequence, tokens, needed)
            budget -= tokens
            index += 1
        while self.waiting and not preempted and budget > 0:
            sequence = self.waiting[0]
            limit = (sequence.total - 1) // self.pool.block_size
            found = self.store.hits(sequence.ids[:limit])
            idle = sum(self.store.users[name] == 0 for name in sequence.ids[:found])
            cached = found * self.pool.block_size
            tokens = min(sequence.total - cached, budget)
            needed = self.blocks_for(cached + tokens) - found
            wanted = needed
            if self.pool.reserve_full_isl:
                wanted = self.blocks_for(sequence.total) - found
            spare = spare_blocks(self.pool) if self.running else 0
            if len(self.running) >= self.pool.max_num_seqs:
                break
            if wanted + spare > self.store.available - idle:
                break
            self.running.append(self.waiting.pop(0))
            for name in sequence.ids[:found]:
                self.store.use(name)
            sequence.used = [True] * found
            sequence.blocks, sequence.computed = found, cached
            self.serve(sequence, tokens, needed)
            budget -= tokens
            if math.isnan(self.outcome.scheduled_s[sequence.row]):
                self.outcome.scheduled_s[sequence.row] = self.now
                self.outcome.cached_tokens[sequence.row] = cached

    def serve(self, sequence: Sequence, tokens: int, needed: int) -> None:
        """Put tokens of a running sequence into the batch, with the blocks they need."""
        self.store.take(needed)
        sequence.blocks += needed
        self.batch.append((sequence, tokens))
        if not sequence.decoding:
            self.store.enter(sequence, (sequence.computed + tokens) // self.pool.block_size)

    def preempt_last(self) -> Sequence:
        sequence = self.running.pop()
        self.release(sequence)
        sequence.computed = 0
        sequence.decoding = False
        self.waiting.insert(0, sequence)
        self.outcome.preemptions[sequence.row] += 1
        return sequence

    def release(self, sequence: Sequence) -> None:
        self.store.enter(sequence, sequence.computed // self.pool.block_size)
        self.store.release(sequence)

    def complete(self) -> None:
        self.stepping = False
        for sequence, tokens in self.batch:
            sequence.computed += tokens
            if sequence.computed < sequence.total:
                continue
            sequence.generated += 1
            sequence.decoding = True
            self.predicted_left -= 1
            if math.isnan(self.outcome.first_token_s[sequence.row]):
                self.outcome.first_token_s[sequence.row] = self.now
            if sequence.generated == sequence.output:
                self.running.remove(sequence)
                self.release(sequence)
                self.outcome.end_s[sequence.row] = self.now
                self.in_flight -= 1
                self.predicted_left -= sequence.predicted - sequence.output
                self.finished.append(sequence.output)
                self.ended.append((sequence.row, self.now))

    def report(self, view: Any) -> None:
        """Write what the engine reports about itself."""
        view.running = len(self.running)
        view.waiting = len(self.waiting)
        view.queued_tokens = sum(
            s.total - s.computed for s in self.waiting + self.running if not s.decoding
        )
        view.output_tokens_left = self.predicted_left
        view.context_tokens = sum(s.computed for s in self.running)
        view.kv_blocks_used = self.kv_blocks - self.store.available
        view.sent_since_report = 0
        view.sent_tokens_since_report = 0


def replay_by_steps(workload: Workload, cluster: Cluster, policy: Router, seed: int) -> Outcome:
    """Replay one lane, slowly and plainly.

    Raises:
        UsageError: the router returns an instance that does not exist, scores nothing, or defers
            for ever.
    """
    n, outside_s = len(workload), cluster.request_overhead_s
    nan = np.full(n, np.nan)
    outcome = Outcome(
        workload.arrival_s + outside_s,
        np.full(n, -1),
        nan.copy(),
        nan.copy(),
        nan.copy(),
        nan.copy(),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        0,
        0,
    )
    engines = [Engine(pool, outcome) for pool in cluster.pools for _ in range(pool.instances)]
    views = np.zeros(len(engines), INSTANCE).view(np.recarray)
    views.index = np.arange(len(engines))
    views.kv_blocks = [engine.kv_blocks for engine in engines]
    views.block_size = [engine.pool.block_size for engine in engines]
    views.max_num_seqs = [engine.pool.max_num_seqs for engine in engines]
    offer = np.zeros(1, REQUEST).view(np.recarray)
    params, memory = np.array(policy.params), empty_memory(len(engines))
    keys = prefix_keys(workload)
    guess = None
    if policy.index is not None:
        guess = IndexByDictionary(policy.index, workload, len(engines))
    state, decisions = seed_state(seed), 0
    interval, last_tick = cluster.signal_interval_s, -1
    held: list[int] = []
    arrived = 0
    expected = [(float(outcome.arrival_s[row]), int(row)) for row in workload.starts]
    closed = len(expected) < n

    def fitting(row: int) -> list[bool]:
        """Say which instances serve the request's model and have room for it when empty."""
        prompt, output = int(workload.input_tokens[row]), int(workload.output_tokens[row])
        name = workload.models[workload.model[row]] if workload.model[row] >= 0 else None
        return [
            engine.fits(prompt, output)
            and (name is None or not engine.pool.models or name in engine.pool.models)
            for engine in engines
        ]

    def choose(row: int, now: float) -> int:
        prompt, output = int(workload.input_tokens[row]), int(workload.output_tokens[row])
        for view, engine, fits in zip(views, engines, fitting(row), strict=True):
            view.in_flight = engine.in_flight
            view.fits = fits
            if "prefix" in policy.reads and guess is None and engine.pool.prefix_caching:
                whole = named(row)[: (prompt - 1) // engine.pool.block_size]
                view.cached_tokens = engine.store.hits(whole) * engine.pool.block_size
                view.indexed_tokens = view.cached_tokens
        if guess is not None:
            guess.match(views, row, now)
        request = offer[0]
        request.row, request.arrival_s, request.now_s = row, outcome.arrival_s[row], now
        request.input_tokens, request.predicted_output_tokens = prompt, predict(row)
        request.output_tokens = output if "oracle" in policy.reads else 0
        request.prefix_key = keys[row] if "prefix" in policy.reads else -1
        request.session = workload.session[row]
        request.draw = uniform_draw(state, decisions)
        if policy.kind == "choose":
            return int(policy.interpreted(request, views, params, memory))
        best, best_score = -1, math.inf
        for index in range(len(engines)):
            if views[index].fits:
                score = policy.interpreted(request, views[index], params)
                if score < best_score or (best < 0 and score == math.inf):
                    best, best_score = index, score
        if best < 0:
            raise UsageError(f"router {policy.name!r} scores every instance NaN")
        return best

    def named(row: int) -> list[int]:
        start, end = workload.first_block[row : row + 2]
        return [int(name) for name in workload.block_ids[start:end]]

    def predict(row: int) -> int:
        if "oracle" in policy.reads:
            return int(workload.output_tokens[row])
        if workload.predicted_tokens[row] >= 0:
            return int(workload.predicted_tokens[row])
        lengths = [length for engine in engines for length in engine.finished]
        return sum(lengths) // len(lengths) if lengths else ASSUMED_OUTPUT_TOKENS

    def advance(until: float) -> None:
        for engine in engines:
            engine.advance(until)

    def release_after(row: int, ended_s: float) -> None:
        following = int(workload.next_turn[row])
        if following >= 0:
            outcome.arrival_s[following] = ended_s + (workload.think_s[following] + outside_s)
            expected.append((float(outcome.arrival_s[following]), following))

    def report() -> None:
        for view, engine in zip(views, engines, strict=True):
            engine.report(view)

    while arrived < n or held:
        now = min([moment for moment, _ in expected], default=math.inf)
        if held or closed:
            for engine in engines:
                if not engine.stepping and (engine.running or engine.waiting):
                    engine.start()
            now = min([now, *(engine.now for engine in engines if engine.stepping)])
            if now == math.inf:
                raise UsageError(f"router {policy.name!r} defers request {held[0]} for ever")
        if interval > 0 and math.floor(now / interval) > last_tick:
            last_tick = math.floor(now / interval)
            advance(last_tick * interval)
            report()
        advance(now)
        for engine in engines:
            for row, ended_s in engine.ended:
                release_after(row, ended_s)
            engine.ended = []
        due = sorted(row for moment, row in expected if moment == now)
        expected = [(moment, row) for moment, row in expected if moment != now]
        held += due
        arrived += len(due)
        while held:
            row = held[0]
            prompt, output = int(workload.input_tokens[row]), int(workload.output_tokens[row])
            if not any(fitting(row)):
                held.pop(0)
                release_after(row, now)
                continue
            if interval == 0:
                report()
            chosen = choose(row, now)
            decisions += 1
            if chosen == DEFER:
                break
            if not 0 <= chosen < len(engines):
                raise UsageError(f"router {policy.name!r} chose instance {chosen}")
            held.pop(0)
            outcome.dispatch_s[row] = now
            if fitting(row)[chosen]:
                outcome.instance[row] = chosen
                ids = named(row) if engines[chosen].pool.prefix_caching else []
                predicted = int(offer[0].predicted_output_tokens)
                engines[chosen].accept(Sequence(row, prompt, output, predicted, ids), now)
                if guess is not None:
                    guess.insert(row, chosen, now)
                views[chosen].sent_since_report += 1
                views[chosen].sent_tokens_since_report += prompt
            else:
                release_after(row, now)
    advance(math.inf)
    return Outcome(
        **{
            **vars(outcome),
            "arrival_s": outcome.arrival_s - outside_s,
            "steps": sum(engine.steps for engine in engines),
            "steps_outside": sum(engine.outside for engine in engines),
        }
    )
