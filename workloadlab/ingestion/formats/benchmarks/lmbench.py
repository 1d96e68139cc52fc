"""Request files of LMBench, the multi-round-qa benchmark of the vLLM production-stack."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import minus

__all__ = ["LMBENCH"]

LMBENCH = Format(
    name="lmbench",
    title="LMBench requests (multi-round-qa), CSV or Parquet",
    containers=("csv", "parquet"),
    keys=frozenset({"prompt_tokens", "generation_tokens", "ttft", "generation_time",
                    "launch_time", "finish_time"}),
    # One clock, the client's; generation_time leaves out the TTFT, so the end is finish_time. A user
    # is a session and a client; in the ShareGPT scenario there are none. question_id counts the
    # answers of one run, so the order of arrival tells the turns.
    columns=(
        Column("arrival_ns", "launch_time", "s"),
        Column("input_tokens", "prompt_tokens"),
        Column("output_tokens", "generation_tokens"),
        Column("ttft_ns", "ttft", "s"),
        Column("e2e_ns", minus("finish_time", "launch_time"), "s"),
        Column("session_id", "user_id"),
        Column("client_id", "user_id"),
        Column("model", "model"),
    ),
    clock="client",
)  # fmt: skip
