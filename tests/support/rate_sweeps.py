"""Real rate sweeps of an engine: what a load generator sent, made again, and what it measured.

The sweeps are those of kubernetes-sigs/inference-perf for KubeCon 2025: Llama-3.1-8B on one H100 under
vLLM 0.11.0, seven rates of a minute each. They are published as means, not as requests, so the load is
made again as the generator makes it. Its "constant" load draws exponential gaps and scales them to last
the stage: a Poisson process of a known number of requests (`ConstantLoadTimer`, read at 0949afc).
Prompts are a hundred, sent in turn in a shuffled order: ten system prompts with ten questions each.
44 workers keep 10 requests each in flight; a request that finds no room waits in the client, and its
times count from when it is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from support.traces import requests_at
from workloadlab.simulation import Cluster, replay

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

__all__ = ["CLIENT_REQUESTS", "HTTP_S", "SWEEPS", "Stage", "replayed", "stages"]

FOLDER, LATENCY = "inference_perf_kubecon", "h100-llama-3.1-8b"
SWEEPS = {"vllm": False, "vllm+chunking_and_prefix_caching": True}
"""The folder of each sweep, and whether its engine cached prefixes."""
CLIENT_REQUESTS = 440
"""Most requests that the load generator has in flight: the cluster's `max_in_flight` makes them wait."""
HTTP_S = 0.014
"""Seconds of a request in the client and on its way: TTFT there less that of the server's histogram."""

BLOCK, OUTPUT = 16, 64
GROUPS, QUESTIONS, SYSTEM_TOKENS = 10, 10, 128


@dataclass(frozen=True)
class Stage:
    """One rate of a sweep: requests sent, prompt length and measured means (s, requests/s)."""

    requested_rps: float
    requests: int
    seconds: float
    prompt_tokens: int
    ttft_s: float
    tpot_s: float
    e2e_s: float
    throughput_rps: float

    @property
    def overloaded(self) -> bool:
        """Whether the engine served less than 95 % of what was to be sent."""
        return self.throughput_rps < 0.95 * self.requested_rps

    def load(self, seed: int = 0) -> Trace:
        """Return the requests of the stage, with the blocks of their prompts."""
        rng = np.random.default_rng(seed)
        gaps = rng.exponential(size=self.requests)
        prompts = rng.permutation(GROUPS * QUESTIONS)[
            np.arange(self.requests) % (GROUPS * QUESTIONS)
        ]
        shared, own = SYSTEM_TOKENS // BLOCK, self.prompt_tokens // BLOCK - SYSTEM_TOKENS // BLOCK
        return requests_at(
            gaps.cumsum() * self.seconds / gaps.sum(),
            input_tokens=self.prompt_tokens,
            output_tokens=OUTPUT,
            block_size=BLOCK,
            block_ids=[
                [*range(prompt // QUESTIONS * shared, (prompt // QUESTIONS + 1) * shared),
                 *range(GROUPS * shared + prompt * own, GROUPS * shared + (prompt + 1) * own)]
                for prompt in prompts.tolist()
            ],
        )  # fmt: skip


def stages(data: Path, sweep: str) -> list[Stage]:
    """Read what a sweep measured; TPOT is (e2e - TTFT) / 63, since the generator counts events twice."""
    return [_stage(data / FOLDER / sweep / f"stage_{k}_lifecycle_metrics.json") for k in range(7)]


def _stage(path: Path) -> Stage:
    facts = json.loads(path.read_text("utf-8"))
    sent, served = facts["load_summary"], facts["successes"]
    ttft_s, e2e_s = (
        served["latency"][name]["mean"] for name in ("time_to_first_token", "request_latency")
    )
    return Stage(
        requested_rps=sent["requested_rate"],
        requests=sent["count"],
        seconds=sent["count"] / sent["requested_rate"],
        prompt_tokens=round(served["prompt_len"]["mean"]),
        ttft_s=ttft_s,
        tpot_s=(e2e_s - ttft_s) / (OUTPUT - 1),
        e2e_s=e2e_s,
        throughput_rps=served["throughput"]["requests_per_sec"],
    )


def replayed(stage: Stage, *, seed: int = 0, **engine: Any) -> dict[str, float]:
    """Replay a stage by its client on one engine with the given attributes of `Pool`.

    Returns:
        Mean TTFT, TPOT and e2e as the client measures them, and the served rate.
    """
    cluster = Cluster.uniform(1, LATENCY, max_in_flight=CLIENT_REQUESTS, **engine)
    return _means_since_sent(replay(stage.load(seed), cluster, routers=["round_robin"]).traces[0])


def _means_since_sent(outcome: Trace) -> dict[str, Any]:
    """Return a replay's mean TTFT, TPOT and e2e as its client measures them, and the served rate."""
    frame = outcome.read("arrival_ns", "dispatch_ns", "ttft_ns", "e2e_ns")
    arrival, waited, ttft, e2e = (frame[name].to_numpy() / 1e9 for name in frame.columns)
    return {
        "ttft_s": (ttft - waited).mean() + HTTP_S,
        "tpot_s": (e2e - ttft).mean() / (OUTPUT - 1),
        "e2e_s": (e2e - waited).mean() + HTTP_S,
        "throughput_rps": len(e2e) / (arrival + e2e).max(),
    }
