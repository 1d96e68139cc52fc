"""BurstGPT (HPMLL/BurstGPT): six columns at first, eight since version 1.2."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.formats.words import choose

__all__ = ["BURSTGPT"]

BURSTGPT = Format(
    name="burstgpt",
    title="BurstGPT trace, CSV",
    containers=("csv", "parquet"),
    keys=frozenset({"Timestamp", "Model", "Request tokens", "Response tokens", "Log Type"}),
    columns=(
        # whole seconds since the first day of the collection: no epoch, however large
        Column("arrival_ns", "Timestamp", "s"),
        Column("input_tokens", "Request tokens"),
        Column("output_tokens", "Response tokens"),
        Column("e2e_ns", "Elapsed time", "s"),
        Column("session_id", "Session ID"),
        Column("model", "Model"),
        Column("task", "Log Type"),
        Column("outcome", choose("Response tokens", {"0": "error", "0.0": "error"}, "ok")),
    ),
)
