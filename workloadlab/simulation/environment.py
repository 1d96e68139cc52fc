"""The vectorized environment: many lanes, one decision in each, one call for all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.arguments import checked, numbers, whole_number
from workloadlab.errors import UsageError
from workloadlab.execution import workers
from workloadlab.routing import Batch, Router, as_choices, batch_router, choices_of, resolve
from workloadlab.simulation.lane_states import Blank, LaneState, Played
from workloadlab.simulation.preparation import workload_and_cluster
from workloadlab.simulation.windows import Episode, cut, drawn_episode, windows_of
from workloadlab.simulation.workload import check_scales

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from workloadlab.routing import Chooser, PrefixIndex
    from workloadlab.simulation.cluster import Cluster
    from workloadlab.simulation.engine.lanes.side_by_side import Opening
    from workloadlab.simulation.windows import Window
    from workloadlab.simulation.workload import Sessions, Workload
    from workloadlab.trace import AnyTrace

__all__ = ["Environment", "Episode", "LaneState", "Played"]


@checked
class Environment:
    """Lanes that replay windows of a trace, each up to its next routing decision.

    `batch` shows one decision for each lane; `step` takes one choice for each, advances all lanes in
    compiled code to their next decisions and returns what that was worth. A lane that is through with
    its window begins the next at once. Threads change nothing of what happens.

    Rewards are counts and seconds, records (lanes,) with the fields of `REWARD_FIELDS`; costs, so less
    is better:

    - own latency: `ttft_s` and `e2e_s`, summed over the `ended` requests that ended since the last
      decision of the lane;
    - delay inflicted by the placement, estimated when it is made: `inflicted_s` =
      n (T(p, p h, n, c) - T(0, 0, n, c)) + n (o - 1) (T(0, 0, n + 1, c + i + o / 2) - T(0, 0, n, c)),
      the stall of the n others on the instance while the prompt is prefilled, and what its decoding adds
      to each of their steps. T is the latency model of the pool (prefill tokens, prefill context,
      decodes, their context), n the requests in flight there, at most `max_num_seqs` - 1, c the tokens
      that they hold, i and o the request's true lengths, h what is cached of the prompt, p = i - h.
      0 if it is deferred or cannot go there. E2 + E3 of the router `mixing_seconds`;
    - service-level `misses`: requests that ended since then beyond `ttft_s` or `tpot_s`, or were
      `rejected`.

    Args:
        trace: needs arrivals and lengths; or the requests of one that were made to fit the cluster.
        cluster: what to choose among.
        lanes: how many.
        windows: a number of requests for each window, pairs of seconds of the trace, or None for all of
            it in one; see `windows_of`. Each lane draws its windows by seed.
        rate_scale: arrival rates relative to the trace; of several each window draws one.
        seed: of the draws of windows, rates and what happens by chance.
        sessions: as in `replay`; a turn whose predecessor is not in the window arrives as logged.
        needs: "oracle" to see true output lengths.
        signals: names of `INSTANCE_FIELDS` to see, with `fits`; None for all. Others take no time.
        index: what guesses, from the choices made, which prefixes are cached where; then
            `indexed_tokens` is its guess and `cached_tokens` is 0. None to see what is cached.
        ttft_s: target of the time to first token; None for none.
        tpot_s: target of the time per later token; None for none.
        threads: lanes that may run at a time; None for one per core.

    Raises:
        UnsupportedError: the trace lacks what the replay needs.
        UsageError: bad windows, rates or numbers.

    Example:
        >>> from workloadlab import Cluster, LatencyModel, Trace
        >>> trace = Trace.of([(0, 10, 2)] * 3)
        >>> cluster = Cluster.uniform(2, LatencyModel.linear(constant_s=0.5), step_overhead_s=0.0)
        >>> environment = Environment(trace, cluster, lanes=1)
        >>> for choice in (0, 1, 1):
        ...     batch, rewards, done = environment.step([choice])
        >>> done.tolist(), rewards["e2e_s"].tolist()
        ([True], [3.0])
    """

    def __init__(
        self,
        trace: AnyTrace | Workload,
        cluster: Cluster | str | Path,
        *,
        lanes: int = 256,
        windows: int | Sequence[tuple[float, float]] | None = None,
        rate_scale: float | Sequence[float] = 1.0,
        seed: int = 0,
        sessions: Sessions = "open",
        needs: Iterable[str] = (),
        signals: Iterable[str] | None = None,
        index: PrefixIndex | None = None,
        ttft_s: float | None = None,
        tpot_s: float | None = None,
        threads: int | None = None,
    ) -> None:
        from workloadlab.simulation.engine.lanes.side_by_side import LaneBatch

        lanes, seed = whole_number("lanes", lanes), whole_number("seed", seed, 0)
        policy = batch_router(Blank(needs, signals, index))
        self._workload, cluster = workload_and_cluster(trace, cluster, [policy], sessions)
        self.cluster, self.instance_names = cluster, cluster.instance_names
        self.windows = windows_of(self._workload, windows)
        self.rate_scales = tuple(numbers("rate_scale", rate_scale))
        check_scales(self.rate_scales)
        self.seed, self.index = seed, index
        self._lanes = LaneBatch(
            cluster,
            policy,
            lanes,
            threads=None if threads is None else workers(threads),
            targets=_targets(ttft_s, tpot_s),
        )
        self._opening = cache(self._opened)
        self.episodes: list[Episode] = []
        self.reset()

    def __len__(self) -> int:
        """Return the number of lanes."""
        return self._lanes.count

    @property
    def batch(self) -> Batch:
        """The decisions that the lanes stand at; valid until the next step."""
        return self._lanes.batch()

    def reset(self) -> Batch:
        """Put all lanes back to where they were when the environment was made."""
        self.episodes = [self._episode(lane, 0) for lane in range(len(self))]
        for lane in range(len(self)):
            self._load(lane)
        rewards = self._lanes.no_rewards()
        self._go_on(self._lanes.every, rewards)
        return self.batch

    def step(
        self, choices: npt.ArrayLike
    ) -> tuple[Batch, npt.NDArray[np.void], npt.NDArray[np.bool_]]:
        """Apply one choice to each lane and advance it to its next decision.

        Args:
            choices: an instance for each lane, (lanes,); -1 keeps the request in the router's queue,
                where it is offered again at the next event.

        Returns:
            The next decisions; the rewards (lanes,); and which lanes ended their window in this step,
            (lanes,): their rewards are those of the window that ended, their decision is the first of
            the next.

        Raises:
            UsageError: a wrong number of choices, an instance that does not exist or that the request
                cannot go to (`batch.allowed` says which can), both before anything moves; or a lane
                whose every instance is idle while its request is deferred.
        """
        batch, rewards, done, _ = self._step(choices, keep=False)
        return batch, rewards, done

    def _step(self, choices: npt.ArrayLike, *, keep: bool) -> tuple[Batch, Any, Any, Any]:
        chosen = as_choices(choices, len(self), "step")
        refused = self._lanes.first_refused(chosen)
        if refused >= 0:
            raise self._refusal(refused, int(chosen[refused]))
        rewards, done = self._lanes.no_rewards(), np.zeros(len(self), bool)
        ended = []
        if not self._lanes.run(self._lanes.every, chosen, rewards):
            through = self._lanes.through()
            done[through] = True
            for lane in through.tolist():
                episode = self.episodes[lane]
                if keep:
                    ended.append((lane, episode, self._lanes.outcome(lane)))
                self.episodes[lane] = self._episode(episode.stream, episode.number + 1)
                self._load(lane)
            self._go_on(through, rewards)
        return self.batch, rewards, done, ended

    def fork(self, lane: int) -> LaneState:
        """Copy where a lane stands, in time and memory proportional to its state.

        Raises:
            UsageError: no such lane.
        """
        self._check_lane(lane)
        return LaneState(self.episodes[lane], self._lanes.store(lane))

    def restore(self, lane: int, state: LaneState) -> None:
        """Put a lane, the same or another, where `fork` found it; it then goes on as that one did.

        Raises:
            UsageError: no such lane.
        """
        self._check_lane(lane)
        self.episodes[lane] = state.episode
        self._lanes.restore(lane, state.stored)

    def _check_lane(self, lane: int) -> None:
        if not 0 <= lane < len(self):
            raise UsageError(f"there is no lane {lane}", fix=f"use 0 to {len(self) - 1}")

    def play(self, policy: Chooser | Router, *, windows: int = 1) -> list[Played]:
        """Let an object choose until every lane has played so many windows, from a reset on.

        Args:
            policy: any object whose `choose` maps a `Batch` to one integer for each lane.
            windows: how many windows of each lane.

        Returns:
            The windows by lane, then in order of time.

        Raises:
            UsageError: a wrong choice, as for `step`, a router that is compiled, or one that keeps
                another prefix index than the environment.
        """
        chooser = resolve(policy)
        if chooser.kind != "batch":
            raise UsageError(
                f"router {chooser.name!r} is compiled",
                fix="give it to wl.replay, or an object with choose",
            )
        if chooser.index not in (None, self.index):
            raise UsageError(
                f"router {chooser.name!r} keeps an index that this environment does not show",
                fix="give the environment the same index",
            )
        batch, ended = self.reset(), []
        earned = self._lanes.no_rewards()
        while min(episode.number for episode in self.episodes) < windows:
            batch, rewards, done, over = self._step(choices_of(chooser, batch), keep=True)
            for name in rewards.dtype.names:
                earned[name] += rewards[name]
            for lane, episode, outcome in over:
                if episode.number < windows:
                    ended.append(Played(lane, episode, outcome, earned[lane].copy()))
            earned[done] = 0
        return sorted(ended, key=lambda played: (played.lane, played.episode.number))

    def workload_of(self, episode: Episode) -> Workload:
        """Return what an episode replays; `replay_lane` with its seed replays the same."""
        return self._opening(episode.window, episode.rate_scale).workload

    def as_gymnasium(self, **options: Any) -> Any:
        """Return this environment as a `gymnasium.vector.VectorEnv`; see `vector_environment`.

        Raises:
            UnsupportedError: gymnasium is not installed: it is in the extra `rl`.
        """
        from workloadlab.simulation.gymnasium_adapter import vector_environment

        return vector_environment(self, **options)

    def _episode(self, stream: int, number: int) -> Episode:
        return drawn_episode(self.windows, self.rate_scales, self.seed, stream, number)

    def _opened(self, window: Window, rate_scale: float) -> Opening:
        return self._lanes.prepare(cut(self._workload, window).scaled(rate_scale))

    def _load(self, lane: int) -> None:
        episode = self.episodes[lane]
        self._lanes.load(lane, self._opening(episode.window, episode.rate_scale), episode.seed)

    def _go_on(self, which: npt.NDArray[np.int64], rewards: Any) -> None:
        """Run lanes that have begun to their first decision."""
        if not self._lanes.begin(which, rewards):
            window = self.episodes[int(self._lanes.through()[0])].window
            raise UsageError(
                f"rows {window.first} to {window.last - 1} of the trace need no decision: no instance "
                "could serve any of their requests",
                fix="give the pools more kv_blocks, or leave this window out",
            )

    def _refusal(self, lane: int, chosen: int) -> UsageError:
        row = int(self.batch.requests["row"][lane])
        count = len(self.instance_names)
        where = f"lane {lane}, request {row} of its window"
        if not -1 <= chosen < count:
            return UsageError(
                f"there is no instance {chosen}",
                where=where,
                fix=f"use 0 to {count - 1}, -1 to defer",
            )
        able = np.flatnonzero(self.batch.allowed[lane]).tolist()
        return UsageError(
            f"{self.instance_names[chosen]} (instance {chosen}) cannot take the request now",
            where=where,
            fix=f"choose among batch.allowed, here {able}",
        )


def _targets(ttft_s: float | None, tpot_s: float | None) -> Any:
    from workloadlab.simulation.engine.lanes.rewards import TARGETS

    targets = np.zeros(1, TARGETS)
    for name, target in (("ttft_s", ttft_s), ("tpot_s", tpot_s)):
        if target is not None and not target > 0:
            raise UsageError(f"the {name} target {target} is not positive", fix="use seconds")
        targets[name] = np.inf if target is None else target
    return targets
