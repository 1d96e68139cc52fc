"""Replay of a real vLLM run on a model fitted from operator profiles of its GPU."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.clusters import SYNCHRONOUS

from workloadlab.ingestion import ingest
from workloadlab.latency import fit
from workloadlab.scoring import request_errors, score
from workloadlab.simulation import Cluster, replay

RUN = "llmservingsim/bench/RTXPRO6000/Llama-3.1-8B"
OPERATORS = "llmservingsim/perf/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1"


ROOT = Path(__file__).resolve().parents[2]


def errors_in_the_readme(estimator, of="one GPU"):
    text = (ROOT / "README.md").read_text()
    row = re.search(rf"\| {of}: workloadlab, `{estimator}` \|(.*)\|", text)
    return [float(cell.replace("%", "")) / 100 for cell in row[1].split("|")]


@pytest.mark.data
@pytest.mark.parametrize("estimator", ["linear", "table"])
def test_replay_of_the_llama_run_is_close_to_reality(shared_data, estimator):
    observed = ingest(shared_data / RUN / "vllm" / "requests.jsonl")
    assert observed.requests == 300
    system = observed.provenance.system
    cluster = Cluster.uniform(
        1,
        fit(shared_data / OPERATORS, estimator=estimator),
        max_num_seqs=system["max_num_seqs"],
        max_num_batched_tokens=system["max_num_batched_tokens"],
        **SYNCHRONOUS,
    )
    runs = replay(observed, cluster, routers=["round_robin"])
    board = score(runs, observed=observed)
    errors = board.runs[0].fidelity
    print(board)
    print((shared_data / RUN / "validation" / "summary.txt").read_text())
    assert abs(errors["ttft_s"]["mean_error"]) < 0.03
    assert abs(errors["tpot_s"]["mean_error"]) < 0.02
    assert abs(errors["e2e_s"]["mean_error"]) < 0.02
    assert all(abs(errors[name]["p99_error"]) < 0.04 for name in ("ttft_s", "tpot_s", "e2e_s"))
    means = [errors[name]["mean_error"] for name in ("ttft_s", "tpot_s", "e2e_s")]
    assert means == pytest.approx(errors_in_the_readme(estimator), abs=0.003)
    per_request = request_errors(runs.traces[0], observed)
    assert per_request.height == 300
    assert per_request["e2e_s_error"].abs().median() < 0.05


MOE_RUN = "llmservingsim/bench/RTXPRO6000/Qwen3-30B-A3B-Instruct-2507"
MOE_OPERATORS = "llmservingsim/perf/RTXPRO6000/Qwen/Qwen3-30B-A3B-Instruct-2507/bf16/tp1"
PUBLISHED = {"ttft_s": -0.136, "tpot_s": -0.017, "e2e_s": -0.022}
"""Errors of the publisher's simulator in the mean, from the run's summary.txt."""


@pytest.mark.data
def test_replay_of_the_expert_parallel_run_is_close_to_reality(shared_data):
    """Two data-parallel ranks share the experts, each holding half of them, and step together."""
    observed = ingest(shared_data / MOE_RUN / "vllm" / "requests.jsonl")
    system = observed.provenance.system
    assert system["dp"] == 2
    cluster = Cluster.uniform(
        system["dp"],
        fit(shared_data / MOE_OPERATORS, expert_parallel=2),
        max_num_seqs=system["max_num_seqs"],
        max_num_batched_tokens=system["max_num_batched_tokens"],
        step_together=True,
        signal_interval_s=0.1,
        **SYNCHRONOUS,
    )
    board = score(replay(observed, cluster, routers=["vllm_dp_v1"]), observed=observed)
    errors = board.runs[0].fidelity
    print(board)
    print((shared_data / MOE_RUN / "validation" / "summary.txt").read_text())
    for name, published in PUBLISHED.items():
        assert abs(errors[name]["mean_error"]) < min(0.02, abs(published))
        assert abs(errors[name]["p99_error"]) < 0.04
    means = [errors[name]["mean_error"] for name in PUBLISHED]
    assert means == pytest.approx(errors_in_the_readme("linear", of="two ranks"), abs=0.003)
