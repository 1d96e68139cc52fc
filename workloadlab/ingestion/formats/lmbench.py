"""Request files of LMBench, the multi-round-qa benchmark of the vLLM production-stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.ingestion.formats.format import Column, Format

if TYPE_CHECKING:
    from workloadlab.ingestion.inspect import Head

__all__ = ["LMBENCH"]


def _read(head: Head) -> tuple[Column, ...]:  # noqa: ARG001
    """Read one clock, the client's; generation_time leaves out the TTFT, so the end is finish_time.

    A user is a session and a client. In the ShareGPT scenario there are no users: every row is a
    conversation of its own, or says nothing. question_id counts the answers of one run, so it starts
    again with the next; the order of arrival tells the turns.
    """
    launched = "launch_time"
    return (
        Column("arrival_ns", launched, "s"),
        Column("input_tokens", "prompt_tokens"),
        Column("output_tokens", "generation_tokens"),
        Column("ttft_ns", "ttft", "s"),
        Column("e2e_ns", "finish_time", "s", since=launched),
        Column("session_id", "user_id"),
        Column("client_id", "user_id"),
        Column("model", "model"),
    )


LMBENCH = Format(
    name="lmbench",
    title="LMBench requests (multi-round-qa), CSV or Parquet",
    containers=("csv", "parquet"),
    keys=frozenset({"prompt_tokens", "generation_tokens", "ttft", "generation_time",
                    "launch_time", "finish_time"}),
    read=_read,
)  # fmt: skip
