"""Runs as a replay would give them: outcome traces with chosen timings, under chosen routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from support.traces import SECOND_NS, requests_every
from workloadlab.trace import RunInfo, Runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloadlab.trace import Trace

__all__ = ["REQUESTS", "latencies", "outcome_of", "routers", "run_info", "runs_of"]

REQUESTS = 1200


def outcome_of(
    ttft_s: Sequence[float | None], e2e_s: Sequence[float | None], **columns: Any
) -> Trace:
    """Return requests one second apart with these latencies; None was not served.

    Args:
        ttft_s: seconds from arrival to the first token.
        e2e_s: seconds from arrival to the last.
        **columns: further columns; without them, 100 tokens in, 11 out, all on instance "a".
    """
    given = {"output_tokens": 11, "instance_id": "a"} | columns
    return requests_every(1, len(ttft_s), ttft_ns=_ns(ttft_s), e2e_ns=_ns(e2e_s), **given)


def run_info(
    router: str, *, rate_scale: float = 1.0, seed: int = 0, instances: int = 1, **more: Any
) -> RunInfo:
    """Return what a manifest says about one run.

    Example:
        >>> run_info("random", rate_scale=1.5).run_id
        'random__x1.5__s0'
    """
    return RunInfo(
        run_id=f"{router}__x{rate_scale:g}__s{seed}",
        router=router,
        rate_scale=rate_scale,
        seed=seed,
        instances=instances,
        **more,
    )


def runs_of(*outcomes: Trace, instances: int = 1) -> Runs:
    """Return runs of the routers r0, r1 and so on, one for each outcome."""
    infos = tuple(run_info(f"r{i}", instances=instances) for i in range(len(outcomes)))
    return Runs(infos, outcomes)


def latencies(seed: int, scale: float = 1.0, n: int = REQUESTS) -> NDArray[np.float64]:
    """Return waits that neighbours share and work that they do not, in seconds."""
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.gamma(2, 0.05, n // 10), 10)
    found: NDArray[np.float64] = (shared + rng.gamma(4, 0.02, n)) * scale
    return found


def routers(**ttft: NDArray[np.float64]) -> Runs:
    """Return runs of routers with these waits, each request one second longer."""
    infos = tuple(run_info(name) for name in ttft)
    outcomes = tuple(outcome_of(values, values + 1) for values in ttft.values())
    return Runs(infos, outcomes)


def _ns(seconds: Sequence[float | None]) -> list[int | None]:
    return [None if moment is None else round(moment * SECOND_NS) for moment in seconds]
