"""Workload-guided reinforcement learning: the founding paper's double DQN, over features of instances.

Jain et al. 2024 (arXiv 2408.13510): a decision places the request at the head of the router's queue, or
waits. Its reward is -(requests in the system) for each tick since the last decision, +60 for each that
ended, and the guidance times h: the mixing reward of the instance chosen below the best one's. The paper
compares no guidance, a fixed one, and one that fades by episode while the discount grows (Cheng et al.
2021). Ours differs where the paper names no number, and in the network: one of 64-64 reads the features
of one instance after the other and adds a value of the state (Wang et al. 2016), so that it serves any
number of instances; the paper's has one output for each of four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.execution import on_one_thread
from workloadlab.learning.found import Found
from workloadlab.learning.gradients import gradients_of
from workloadlab.learning.network import Network
from workloadlab.routing import SHELF, empty_memory
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.routing.learned.features import ASKED, FEATURES
from workloadlab.routing.learned.network import WAITS, still_waits
from workloadlab.routing.learned.terms import GRADIENTS, TERMS
from workloadlab.routing.memory import CELLS
from workloadlab.simulation.environment import Environment

if TYPE_CHECKING:
    from workloadlab.learning.cells import Cell
    from workloadlab.learning.problem import Problem

    Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["GUIDANCE", "learn_by_reward", "router_of"]

ROUNDS, STEPS, DECISIONS = 20, 600, 32
"""Rounds, steps of learning in each, and decisions before each step."""

LANES, WINDOW = 8, 2_000
"""Lanes of each training cell, and the requests that one replays before it begins anew."""

DISCOUNT = 0.9997
"""Of a tick, the seconds of a step of the fastest pool. The horizon must be longer than a request runs,
or a placement costs all and earns nothing: at 0.995 and 0.999 the router held everything back."""

ENDED = 60.0
"""Reward of a request that ends, in requests waiting for a tick."""

FADE = 0.5
"""By how much guidance fades with each episode of `WINDOW` decisions, in logarithms."""

UNIT = 100.0
"""Rewards are learned in so many requests x tick."""

EXPLORING, LEAST_RANDOM = 0.4, 0.05
"""Share of the rounds over which random choices fall from all to one in twenty; only the networks of the
others are tried on the selection cells."""

HIDDEN, BATCH, KEPT = (64, 64), 256, 50_000
COPY_EVERY = 200
RATE = 5e-4


def _none(_: int) -> tuple[float, float]:
    return DISCOUNT, 0.0


def _fixed(_: int) -> tuple[float, float]:
    return DISCOUNT, 1.0


def _fading(number: int) -> tuple[float, float]:
    left = float(np.exp(-FADE * number))
    return (1 - left) * DISCOUNT, left * DISCOUNT


GUIDANCE = {"none": _none, "fixed": _fixed, "fading": _fading}
"""By name, the discount and the weight of h in episode 1, 2, ...: the paper's three variants, baseline,
workload-aware and workload-guided."""


@dataclass
class _Memory:
    """Decisions in a ring, each with the place of the one that followed it in its lane, or -1.

    Attributes:
        inputs, able, choice: what was seen, what could be chosen (waiting last), and what was.
        reward: earned since.
        present: requests in the system.
        now_s: when it was.
        then: the decision that followed.
        count: decisions so far.
    """

    inputs: Array
    able: Array
    choice: Array
    reward: Array
    present: Array
    now_s: Array
    then: Array
    count: int = 0

    @classmethod
    def of(cls, instances: int) -> _Memory:
        return cls(
            inputs=np.zeros((KEPT, instances, len(FEATURES)), np.float32),
            able=np.zeros((KEPT, instances + 1), bool),
            choice=np.zeros(KEPT, int),
            reward=np.zeros(KEPT),
            present=np.zeros(KEPT),
            now_s=np.zeros(KEPT),
            then=np.full(KEPT, -1),
        )

    def place(self) -> int:
        """Return the place of a new decision."""
        at = self.count % KEPT
        self.count += 1
        self.inputs[at], self.able[at], self.reward[at], self.then[at] = 0.0, False, 0.0, -1
        return at

    def drawn(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw decisions that another one followed, and the places of these."""
        at = rng.integers(0, min(self.count, KEPT), BATCH)
        at = at[self.then[at] >= 0]
        return at, self.then[at]


@on_one_thread()
def learn_by_reward(
    problem: Problem, *, generations: int | None, seed: int, guidance: str = "fading"
) -> Found:
    """Learn the values of choices from rewards; keep the network that is best on the selection cells.

    Args:
        problem: what to learn for.
        generations: rounds; None for 20.
        seed: of the weights, the draws and the exploration.
        guidance: of `GUIDANCE`.
    """
    rng, rounds = np.random.default_rng(seed), generations or ROUNDS
    sizes = (len(FEATURES), *HIDDEN, 3)
    online, target = Network(sizes, seed), Network(sizes, seed)
    gradients = gradients_of(problem.cluster)
    tick_s = gradients[0]
    cells = [_Lanes(cell, gradients, seed + k) for k, cell in enumerate(problem.training)]
    widest = max(cell.instances for cell in problem.training)
    kept = _Memory.of(widest)
    best, lowest, curve = router_of(online, gradients), np.inf, []
    for number in range(1, rounds + 1):
        random = max(LEAST_RANDOM, 1.0 - (number - 1) / max(1.0, EXPLORING * rounds))
        for step in range(STEPS):
            discount, weight = GUIDANCE[guidance](1 + kept.count // WINDOW)
            params = np.array(router_of(online, gradients).router().params)
            until = kept.count + DECISIONS
            while kept.count < until:
                for lanes in cells:
                    lanes.step(kept, params, rng, random, weight)
            _learn(online, target, kept, discount, tick_s, rng)
            if step % COPY_EVERY == 0:
                target.copy_from(online)
        if random > LEAST_RANDOM and number < rounds:
            continue
        found = router_of(online, gradients)
        [selected] = problem.selection_losses([found])
        if selected < lowest:
            best, lowest = found, selected
        curve.append((selected, lowest))
        problem.say(
            f"workload_guided, seed {seed}, round {number} of {rounds}: selection {selected:+.3f}, "
            f"best {lowest:+.3f}"
        )
    return Found(best, problem.training_losses([best])[0], lowest, curve, seed)


def router_of(network: Network, gradients: Any) -> LearnedRouter:
    """Return the router of a network: its outputs but for the value of the state."""
    units = [gradients[0]] * (2 * len(TERMS)) + [100.0, 100.0, 1.0]
    *hidden, last = network.layers
    rows = [layer.T.ravel() for layer in (*hidden, last[:, 1:])]
    body = {
        "features": list(FEATURES),
        "units": units,
        "hidden": list(HIDDEN),
        "weights": np.concatenate(rows).astype(float).tolist(),
    }
    rules = dict(zip(GRADIENTS, gradients, strict=True))
    return LearnedRouter(form="network", rules=rules, body=body)


def _values(network: Network, inputs: Array, able: Array) -> Array:
    """Return the value of every choice, (rows, instances + 1), waiting last; -inf if there is none."""
    rows, instances, count = inputs.shape
    out = network(inputs.reshape(-1, count)).reshape(rows, instances, 3)
    there = able[:, :-1, None]
    mean = (out * there).sum(1) / np.maximum(there.sum(1), 1)
    values = np.concatenate([out[:, :, 1], mean[:, 2:]], axis=1) + _scaled(mean[:, :1])
    return np.where(able, values, -np.inf)


def _scaled(state: Array) -> Array:
    """Return the value of a state: the sum of rewards over the horizon is as large as that is long."""
    return state / np.float32(1 - DISCOUNT)


def _learn(
    online: Network,
    target: Network,
    kept: _Memory,
    discount: float,
    tick_s: float,
    rng: np.random.Generator,
) -> None:
    """Take one step towards reward + discounted value of the best next choice (van Hasselt 2016).

    The values learned are those above -n / -ln(discount), what n requests in the system cost if they
    stayed for ever (a potential, Ng et al. 1999): the long run is told, the changes are learned.
    """
    at, then = kept.drawn(rng)
    able = kept.able[then]
    best = _values(online, kept.inputs[then], able).argmax(1)
    rows = np.arange(len(at))
    later = _values(target, kept.inputs[then], able)[rows, best]
    ticks = (kept.now_s[then] - kept.now_s[at]) / tick_s
    fewer = (kept.present[at] - kept.present[then]) / -np.log(discount)
    aim = kept.reward[at] + discount**ticks * (later + fewer / UNIT)
    inputs, there, choice = kept.inputs[at], kept.able[at][:, :-1], kept.choice[at]
    instances = inputs.shape[1]
    share = there / np.maximum(there.sum(1, keepdims=True), 1)

    def slope_of(flat: Array) -> Array:
        out = flat.reshape(len(at), instances, 3)
        waits = choice == instances
        chosen = np.minimum(choice, instances - 1)
        state = _scaled((out[:, :, 0] * share).sum(1))
        advantage = np.where(waits, (out[:, :, 2] * share).sum(1), out[rows, chosen, 1])
        error = (state + advantage - aim) / len(at)
        slope = np.zeros_like(out)
        slope[:, :, 0] = _scaled(error)[:, None] * share
        slope[:, :, 2] = (error * waits)[:, None] * share
        slope[rows, chosen, 1] = error * ~waits
        return slope.reshape(flat.shape)

    online.descend(online.gradients(inputs.reshape(-1, inputs.shape[2]), slope_of), RATE)


class _Lanes:
    """The lanes of one training cell, and what the last decision of each was."""

    def __init__(self, cell: Cell, gradients: Any, seed: int) -> None:
        windows = min(WINDOW, len(cell.workload))
        self.environment = Environment(
            cell.workload, cell.cluster, lanes=LANES, windows=windows, seed=seed, threads=1
        )
        self.instances = cell.instances
        self.mixing = SHELF["mixing_impact"]
        blank = router_of(Network((len(FEATURES), *HIDDEN, 3), 0), gradients)
        self.units, self.policy = np.array(blank.body["units"]), blank.router()
        self.last = np.full(LANES, -1)
        self.memories = np.array([empty_memory(self.instances)] * LANES)

    def step(
        self, kept: _Memory, params: Array, rng: np.random.Generator, random: float, weight: float
    ) -> None:
        """Decide in every lane, at random or as the network says, and note what it was worth."""
        batch = self.environment.batch
        choices = np.full(LANES, -1)
        fits = batch.instances["fits"] == 1
        busy = (batch.instances["in_flight"] * fits).sum(1)
        waiting = still_waits(batch.requests["row"], busy, self.memories.T)
        for lane in np.flatnonzero(~waiting):
            request, instances = batch.requests[lane], batch.instances[lane]
            memory, able = self.memories[lane], np.append(fits[lane], busy[lane] > 0)
            chosen = int(self.policy.compiled(request, instances, params, memory))
            if rng.random() < random:
                drawn = int(rng.choice(np.flatnonzero(able)))
                chosen = -1 if drawn == self.instances else drawn
            memory[WAITS], memory[WAITS + 1] = (
                (request["row"] + 1, busy[lane]) if chosen < 0 else (0, 0)
            )
            choices[lane] = chosen
            at = kept.place()
            if self.last[lane] >= 0:
                kept.then[self.last[lane]] = at
            self.last[lane] = at
            kept.inputs[at, : self.instances] = self._inputs(request, memory, able[:-1])
            kept.able[at, : self.instances], kept.able[at, -1] = able[:-1], able[-1]
            kept.choice[at] = chosen if chosen >= 0 else kept.able.shape[1] - 1
            kept.now_s[at] = request["now_s"]
            kept.present[at] = request["queue_length"] + instances["in_flight"].sum()
            if weight > 1e-3 and chosen >= 0:
                kept.reward[at] = weight * self._guidance(request, instances, chosen) / UNIT
        _, rewards, done = self.environment.step(choices)
        kept.reward[self.last] += ENDED * rewards["ended"] / UNIT
        self.last[done], self.memories[done] = -1, empty_memory(self.instances)

    def _inputs(self, request: Any, memory: Array, able: Array) -> Array:
        costs = memory[CELLS : CELLS + self.instances * len(TERMS)].reshape(self.instances, -1)
        asked = np.tile([request[name] for name in ASKED], (self.instances, 1))
        whole = np.concatenate([costs, costs - costs[able].min(0), asked], axis=1)
        inputs: Array = np.log1p(np.where(able[:, None], whole, 0.0) / self.units)
        return inputs

    def _guidance(self, request: Any, instances: Any, chosen: int) -> float:
        """Return the mixing reward of a choice below that of the best."""
        params = np.array(self.mixing.params)
        scores = [
            self.mixing.compiled(request, one, params) if one["fits"] else np.inf
            for one in instances
        ]
        return float(min(scores) - scores[chosen])
