"""The Azure LLM inference traces of 2023, 2024 and 2025 (Azure/AzurePublicDataset)."""

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.parsing.dates import DATETIME

__all__ = ["AZURE"]

AZURE = Format(
    name="azure",
    title="Azure LLM inference trace, CSV",
    containers=("csv",),
    keys=frozenset({"TIMESTAMP", "ContextTokens", "GeneratedTokens"}),
    columns=(
        # ticks of 100 ns, without a zone in 2023; with one and any fraction since
        Column("arrival_ns", "TIMESTAMP", DATETIME),
        Column("input_tokens", "ContextTokens"),
        Column("output_tokens", "GeneratedTokens"),
        Column("num_images", "NumImages"),
    ),
)
