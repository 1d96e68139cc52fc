"""The readable engine: lists, one loop, no tricks. The compiled kernel must equal it.

Scheduling follows vLLM V1: each step serves the running requests first, in order of admission, then
admits from the waiting queue while the token budget, `max_num_seqs` and KV blocks allow. Prompts are
prefilled in chunks. A request that finds no free block preempts the last admitted one, which goes back
to the head of the queue and is recomputed, prompt and generated tokens, when it is admitted again.
`Pool` has the switches.

At one moment steps end, then events happen (see `simulation.event`), then arrivals are routed, and then
steps start. Moments closer than `TICK_S` are simultaneous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.routing import DEFER, REQUEST, Router
from workloadlab.simulation.engine.record_types import REPLICA_STREAM, TICK_S
from workloadlab.simulation.event import Entry, presence
from workloadlab.simulation.fixed_signals import fixed_signals
from workloadlab.simulation.outcome import Outcome, blank_outcome
from workloadlab.simulation.reference.events import handle_events
from workloadlab.simulation.reference.instance import Engine, uniform_draw
from workloadlab.simulation.reference.kv_blocks import Sequence
from workloadlab.simulation.reference.replicas import Replica, memories_of
from workloadlab.simulation.reference.router_side import choose, full, refresh_signals, report
from workloadlab.simulation.workload import Workload, prefix_keys, seed_state

if TYPE_CHECKING:
    from workloadlab.simulation.cluster import Cluster

__all__ = ["replay_by_steps", "uniform_draw"]


@dataclass
class Lane:
    """One replay: the instances, the requests to come, the router's replicas and whose they are."""

    workload: Workload
    cluster: Cluster
    policy: Router
    seed: int
    outcome: Outcome = field(init=False)
    engines: list[Engine] = field(default_factory=list)
    groups: list[list[Engine]] = field(default_factory=list)
    expected: list[tuple[float, int]] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    replica_of: list[int] = field(default_factory=list)
    turn: int = 0
    events: list[Entry] = field(init=False)
    snapshots: dict[int, Any] = field(default_factory=dict)
    decisions: int = 0
    seen_tick: int = -1

    def __post_init__(self) -> None:
        workload, cluster = self.workload, self.cluster
        self.outcome = blank_outcome(workload)
        self.state = seed_state(self.seed)
        for pool in cluster.pools:
            ranks = [
                Engine(len(self.engines) + k, pool, self.outcome, self.state)
                for k in range(pool.instances)
            ]
            self.engines += ranks
            self.groups += [ranks] if pool.step_together else [[rank] for rank in ranks]
        self.events = cluster.event_queue
        for engine, absent, starts in zip(
            self.engines, *presence(self.events, len(self.engines)), strict=True
        ):
            engine.takes_requests, engine.starts_left = not absent, starts
        self.views = self.blank_views()
        self.offer = np.zeros(1, REQUEST).view(np.recarray)
        self.params = np.array(self.policy.params)
        self.keys = prefix_keys(workload)
        tokens = [engine.pool.blocks * engine.pool.block_size for engine in self.engines]
        self.replicas = [Replica.of(self.policy, workload, tokens) for _ in range(cluster.replicas)]
        self.replica_of = [
            int(uniform_draw(self.state ^ REPLICA_STREAM, row) * cluster.replicas)
            for row in range(len(workload))
        ]
        self.expected = [
            (float(workload.arrival_s[row] + cluster.request_overhead_s), int(row))
            for row in workload.starts
        ]
        self.closed = workload.closed

    def blank_views(self) -> Any:
        return fixed_signals(self.cluster, self.workload.models).view(np.recarray)

    # Instances

    def begin(self, group: list[Engine]) -> None:
        """Begin a step on the ranks of a group; it lasts as long as the slowest."""
        now = max(engine.now for engine in group)
        for engine in group:
            engine.now = now
            if engine.has_work:
                engine.schedule()
                if engine.has_work and not engine.batch:
                    raise UsageError(f"instance {engine.index} can never go on")
        if (fullest := max(engine.batch_tokens for engine in group)) == 0:
            return  # who had ended lost its blocks before it decoded in vain
        seconds = max(engine.begin(fullest) for engine in group if engine.batch)
        for engine in group:
            engine.now = now + seconds
            engine.stepping = True
            engine.wave += 1

    def advance(self, until: float) -> None:
        """Run every step that ends by `until`; start none at or after it."""
        for group in self.groups:
            while True:
                if group[0].stepping:
                    if group[0].now > until + TICK_S:
                        break
                    for engine in group:
                        engine.complete()
                now = max(engine.now for engine in group)
                working = any(engine.has_work for engine in group)
                for engine in group:
                    engine.wave *= working
                if not working or now >= until - TICK_S:
                    break
                self.begin(group)

    def next_step_end(self) -> float:
        for group in self.groups:
            if not group[0].stepping and any(engine.has_work for engine in group):
                self.begin(group)
        return min((engine.now for engine in self.engines if engine.stepping), default=math.inf)

    # Requests

    def named(self, row: int) -> list[int]:
        start, end = self.workload.first_block[row : row + 2]
        return [int(name) for name in self.workload.block_ids[start:end]]

    def able(self, row: int) -> list[bool]:
        """Say which instances serve the request's model and have room for it when empty."""
        workload = self.workload
        input_tokens, output_tokens = (
            int(tokens[row]) for tokens in (workload.input_tokens, workload.output_tokens)
        )
        name = workload.models[workload.model[row]] if workload.model[row] >= 0 else None
        return [
            engine.fits(input_tokens, output_tokens)
            and (name is None or not engine.pool.models or name in engine.pool.models)
            for engine in self.engines
        ]

    def hopeless(self, row: int) -> bool:
        """Say whether no instance that takes requests, or will, could serve the request."""
        return not any(
            able and (engine.takes_requests or engine.starts_left > 0)
            for able, engine in zip(self.able(row), self.engines, strict=True)
        )

    def open(self, row: int) -> list[bool]:
        """Say which instances may take the request now."""
        return [
            able and engine.takes_requests and engine.in_flight < engine.pool.most_in_flight
            for able, engine in zip(self.able(row), self.engines, strict=True)
        ]

    def expected_by(self, replica: int) -> list[tuple[float, int]]:
        """Return the moments and rows of what is to come to a replica."""
        return [(moment, row) for moment, row in self.expected if self.replica_of[row] == replica]

    def due(self) -> tuple[float, int]:
        """Return when a replica has decided on the next request, and which."""
        spent_s, decided = self.cluster.decision_overhead_s, []
        for number, replica in enumerate(self.replicas):
            at_s = min((moment for moment, _ in self.expected_by(number)), default=math.inf)
            decided.append((max(at_s, replica.busy_s) + spent_s if spent_s else at_s, number))
        return min(decided)

    @property
    def replica(self) -> Replica:
        """The replica whose turn it is."""
        return self.replicas[self.turn]

    def in_flight(self, engine: Engine) -> int:
        """Count the requests on an instance that the replica whose turn it is has sent there."""
        there = engine.waiting + engine.running
        return sum(self.replica_of[s.row] == self.turn for s in there if not s.ended)

    def arrive(self, now: float) -> float:
        """Move what is due into the queues, of one moment in order of row; return the moment."""
        due = []
        moment_s = now + TICK_S
        while self.expected and self.due()[0] <= moment_s:
            decided_s, replica = self.due()
            self.replicas[replica].busy_s = decided_s
            coming = self.expected_by(replica)
            first_s = min(moment for moment, _ in coming)
            together = [item for item in coming if item[0] <= first_s + TICK_S]
            moment, row = min(together, key=lambda item: item[1])
            self.expected.remove((moment, row))
            if math.isnan(self.outcome.arrival_s[row]):
                self.outcome.arrival_s[row] = moment
            due.append(row)
            now = max(now, moment)
        for row in due if self.cluster.decision_overhead_s else sorted(due):
            self.replicas[self.replica_of[row]].held.append(row)
        return now

    def release_after(self, row: int, ended_s: float) -> None:
        following = int(self.workload.next_turn[row])
        if following >= 0:
            think_s = self.workload.think_s[following] + self.cluster.request_overhead_s
            self.expected.append((ended_s + think_s, following))

    def choose(self, row: int, now: float) -> int:
        """Ask the router where the first request in its queue goes."""
        return choose(self, row, now)

    def offer_held(self, now: float) -> None:
        """Let the replicas decide, one after the other, from the one whose turn it is on."""
        while self.turn < len(self.replicas):
            self.offer_queue(self.replica.held, now)
            self.turn += 1
        self.turn = 0

    def offer_queue(self, held: list[int], now: float) -> None:
        """Offer what waits in a replica's queue, first come first, until the router defers."""
        while held:
            row = held[0]
            if self.hopeless(row):
                held.pop(0)
                self.release_after(row, now)
                continue
            if not any(self.open(row)):
                break
            if self.cluster.signal_interval_s == 0:
                report(self)
            chosen = self.choose(row, now)
            if chosen == DEFER:
                break
            if not 0 <= chosen < len(self.engines):
                raise UsageError(f"router {self.policy.name!r} chose instance {chosen}")
            held.pop(0)
            self.send(row, chosen, now)
        while len(held) > self.cluster.most_held:
            self.release_after(held.pop(), now)

    def send(self, row: int, chosen: int, now: float) -> None:
        workload, view = self.workload, self.views[chosen]
        self.outcome.dispatch_s[row] = now
        if not view.fits or full(self, chosen):
            self.release_after(row, now)
            return
        self.outcome.instance[row] = chosen
        input_tokens, output_tokens = (
            int(tokens[row]) for tokens in (workload.input_tokens, workload.output_tokens)
        )
        ids = self.named(row) if self.engines[chosen].pool.prefix_caching else []
        predicted = int(self.offer[0].predicted_output_tokens)
        priority = int(workload.priority[row])
        sequence = Sequence(row, input_tokens, output_tokens, predicted, priority, ids=ids)
        self.engines[chosen].accept(sequence, now)
        if self.replica.index is not None:
            self.replica.index.insert(row, chosen, now)
        self.replica.count(chosen, input_tokens)

    @property
    def waiting(self) -> list[int]:
        """The requests in the queues of all replicas."""
        return [row for replica in self.replicas for row in replica.held]

    def goes_on(self) -> bool:
        """Say whether the router may still have to act."""
        if self.expected or self.waiting or self.events:
            return True
        return self.closed and self.next_step_end() < math.inf

    def run(self) -> Outcome:
        while self.goes_on():
            now = min(self.due()[0], self.events[0].at_s if self.events else math.inf)
            if self.waiting or self.closed:
                now = min(now, self.next_step_end())
                if now == math.inf:
                    name = self.policy.name
                    raise UsageError(f"router {name!r} defers request {self.waiting[0]} for ever")
            if self.cluster.signal_interval_s > 0:
                refresh_signals(self, now)
            self.advance(now)
            for engine in self.engines:
                for row, ended_s in engine.ended:
                    self.release_after(row, ended_s)
                engine.ended = []
            handle_events(self, now)
            self.offer_held(self.arrive(now))
        self.advance(math.inf)
        return Outcome(
            **{
                **vars(self.outcome),
                "arrival_s": self.outcome.arrival_s - self.cluster.request_overhead_s,
                "steps": sum(engine.steps for engine in self.engines),
                "steps_outside": sum(engine.outside for engine in self.engines),
                "memory": memories_of(self.replicas, self.policy),
            }
        )


def replay_by_steps(workload: Workload, cluster: Cluster, policy: Router, seed: int) -> Outcome:
    """Replay one lane, slowly and plainly.

    Raises:
        UsageError: the router returns an instance that does not exist, scores nothing, or defers
            for ever.
    """
    return Lane(workload, cluster, policy, seed).run()
