"""The Azure LLM inference traces of 2023, 2024 and 2025 (Azure/AzurePublicDataset)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.ingestion.formats.format import Column, Format
from workloadlab.ingestion.parsing.times import DATETIME

if TYPE_CHECKING:
    from workloadlab.ingestion.inspect import Head

__all__ = ["AZURE"]


def _read(head: Head) -> tuple[Column, ...]:  # noqa: ARG001
    """TIMESTAMP ticks at 100 ns; without a zone in 2023, with one and a mixed fraction in 2024."""
    return (
        Column("arrival_ns", "TIMESTAMP", DATETIME),
        Column("input_tokens", "ContextTokens"),
        Column("output_tokens", "GeneratedTokens"),
    )


AZURE = Format(
    name="azure",
    title="Azure LLM inference trace, CSV",
    containers=("csv",),
    keys=frozenset({"TIMESTAMP", "ContextTokens", "GeneratedTokens"}),
    read=_read,
)
