"""Inputs of the simulators Vidur and splitwise-sim."""

from workloadlab.ingestion.formats.format import Column, Format

__all__ = ["SPLITWISE", "VIDUR"]

VIDUR = Format(
    name="vidur",
    title="Vidur trace, CSV",
    containers=("csv",),
    keys=frozenset({"num_prefill_tokens", "num_decode_tokens"}),
    columns=(
        Column("arrival_ns", "arrived_at", "s"),
        Column("input_tokens", "num_prefill_tokens"),
        Column("output_tokens", "num_decode_tokens"),
    ),
    nullable=frozenset({"arrival_ns"}),
)

SPLITWISE = Format(
    name="splitwise",
    title="splitwise-sim trace, CSV",
    containers=("csv",),
    keys=frozenset({"arrival_timestamp", "prompt_size", "token_size"}),
    columns=(
        Column("arrival_ns", "arrival_timestamp", "s"),
        Column("input_tokens", "prompt_size"),
        Column("output_tokens", "token_size"),
        Column("request_id", "request_id"),
        Column("task", "application_id"),
    ),
)
