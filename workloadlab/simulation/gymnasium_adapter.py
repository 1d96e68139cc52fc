"""The environment as a `gymnasium.vector.VectorEnv`; gymnasium comes with the extra `rl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.errors import UnsupportedError
from workloadlab.routing import INSTANCE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.routing import Batch
    from workloadlab.simulation.environment import Environment

__all__ = ["vector_environment"]

ASKED = ("input_tokens", "predicted_output_tokens", "output_tokens", "draw")
"""Fields of a request that say what is asked for, not where in the trace a lane is."""


def vector_environment(
    environment: Environment,
    *,
    instance_features: Sequence[str] = tuple(INSTANCE_FIELDS),
    request_features: Sequence[str] = ASKED,
    own: float = 1.0,
    inflicted: float = 0.0,
    misses: float = 0.0,
) -> Any:
    """Return a `gymnasium.vector.VectorEnv` that drives an environment.

    Observations are a dict of float32 arrays: "instances" (lanes, instances, features), "request"
    (lanes, features), and "allowed" (lanes, instances), 1 where an instance may be chosen. An action is
    an instance for each lane. The reward is -(own e2e_s + inflicted inflicted_s + misses misses) of
    `Environment`, whose parts are in the infos by name. A lane that ends its window is terminated and
    begins the next in the same step (`AutoresetMode.SAME_STEP`); as no decision follows the last one,
    there is no final observation. A seed is given to the environment, not to `reset`.

    Args:
        environment: what to drive; a reset puts it back to its beginning.
        instance_features: fields of `INSTANCE_FIELDS`.
        request_features: fields of `REQUEST_FIELDS`; by default those that do not tell where in the
            trace the lane is.
        own: weight of `e2e_s` in the reward, per second.
        inflicted: weight of `inflicted_s`, per second.
        misses: weight of `misses`, per request.

    Raises:
        UnsupportedError: gymnasium is not installed.
    """
    try:
        from gymnasium import spaces
        from gymnasium.vector import AutoresetMode, VectorEnv
        from gymnasium.vector.utils import batch_space
    except ImportError as error:
        raise UnsupportedError(
            "gymnasium is not installed", fix='pip install "workloadlab[rl]"'
        ) from error
    from workloadlab.simulation.engine.lanes.rewards import REWARD_FIELDS

    count = len(environment.instance_names)

    def numbers(*shape: int) -> Any:
        return spaces.Box(-np.inf, np.inf, shape, np.float32)

    class LaneVectorEnv(VectorEnv):  # type: ignore[misc]
        """Lanes of the environment as gymnasium sees them."""

        def __init__(self) -> None:
            self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
            self.num_envs = len(environment)
            self.single_action_space = spaces.Discrete(count)
            self.single_observation_space = spaces.Dict(
                {
                    "instances": numbers(count, len(instance_features)),
                    "request": numbers(len(request_features)),
                    "allowed": spaces.Box(0, 1, (count,), np.float32),
                }
            )
            self.action_space = batch_space(self.single_action_space, self.num_envs)
            self.observation_space = batch_space(self.single_observation_space, self.num_envs)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:  # noqa: ARG002
            """Go back to the beginning; return (observations, infos)."""
            return observed(environment.reset()), {}

        def step(self, actions: Any) -> Any:
            """Return (observations, rewards, terminations, truncations, infos)."""
            batch, rewards, done = environment.step(actions)
            cost = (
                own * rewards["e2e_s"]
                + inflicted * rewards["inflicted_s"]
                + misses * rewards["misses"]
            )
            infos = {name: rewards[name] for name in REWARD_FIELDS}
            return observed(batch), -cost, done, np.zeros_like(done), infos

    def observed(batch: Batch) -> dict[str, Any]:
        return {
            "instances": batch.instance_features(*instance_features, dtype=np.float32),
            "request": batch.request_features(*request_features, dtype=np.float32),
            "allowed": batch.allowed.astype(np.float32),
        }

    return LaneVectorEnv()
