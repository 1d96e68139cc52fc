"""Request logs that engines and their frameworks write."""

from workloadlab.ingestion.formats.engines.cara import CARA
from workloadlab.ingestion.formats.engines.dynamo import DYNAMO, DYNAMO_WRAPPED
from workloadlab.ingestion.formats.engines.llmservingsim import LLMSERVINGSIM, SESSIONS, WORKLOAD
from workloadlab.ingestion.formats.engines.sglang import SGLANG_METRICS, SGLANG_REQUESTS

__all__ = ["FORMATS"]

FORMATS = (
    LLMSERVINGSIM,
    WORKLOAD,
    SESSIONS,
    DYNAMO,
    DYNAMO_WRAPPED,
    SGLANG_METRICS,
    SGLANG_REQUESTS,
    CARA,
)
