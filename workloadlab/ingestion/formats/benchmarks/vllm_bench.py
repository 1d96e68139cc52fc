"""Detailed results of `vllm bench serve` and of SGLang's `bench_serving`: parallel lists, one a run."""

from workloadlab.ingestion.formats.engine_files import facts_of_vllm_bench
from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import added, choose, gaps, total

__all__ = ["VLLM_BENCH"]

VLLM_BENCH = Format(
    name="vllm_bench",
    title="vLLM or SGLang serving benchmark with details, JSON",
    containers=("json", "jsonl"),
    keys=frozenset({"input_lens", "output_lens", "ttfts", "itls"}),
    zipped=("input_lens", "output_lens", "ttfts", "itls", "start_times", "errors"),
    # times are of a monotonic clock; a request that failed has zeros for what was not measured
    columns=(
        Column("arrival_ns", "start_times", "s"),
        Column("input_tokens", "input_lens"),
        Column("output_tokens", "output_lens"),
        Column("ttft_ns", "ttfts", "s"),
        Column("e2e_ns", total("ttfts", added("itls")), "s"),
        Column("token_offsets_ns", gaps("ttfts", "itls"), "s"),
        Column("outcome", choose("errors", {None: "ok"}, "error")),
        Column("model", "^.model_id"),
        Column("run_id", "^.#"),
    ),
    nullable=frozenset({"arrival_ns"}),
    system=facts_of_vllm_bench,
    clock="client",
)
