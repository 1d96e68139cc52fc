"""Logs of gateways, observability stores and coding agents.

They see every request of a team, each with its own idea of what a prompt token is and when an answer
began. Start with `kthena.py`, a flat one; then `litellm.py`, which takes moments for durations, and
`otel.py`, whose requests are spans with lists of attributes. To add one, write its file and put it
into `FORMATS` below.
"""

from workloadlab.ingestion.formats.gateways.bedrock import BEDROCK
from workloadlab.ingestion.formats.gateways.envoy import ENVOY
from workloadlab.ingestion.formats.gateways.helicone import HELICONE
from workloadlab.ingestion.formats.gateways.kong import KONG
from workloadlab.ingestion.formats.gateways.kthena import KTHENA
from workloadlab.ingestion.formats.gateways.langfuse import LANGFUSE
from workloadlab.ingestion.formats.gateways.litellm import LITELLM
from workloadlab.ingestion.formats.gateways.openai_batch import OPENAI_BATCH
from workloadlab.ingestion.formats.gateways.openrouter import (
    OPENROUTER,
    OPENROUTER_ACTIVITY,
    OPENROUTER_DATA,
)
from workloadlab.ingestion.formats.gateways.otel import COLLECTED, CONSOLE, OTLP, OTLP_SNAKE, TEMPO
from workloadlab.ingestion.formats.gateways.portkey import PORTKEY
from workloadlab.ingestion.formats.gateways.transcripts import CLAUDE_CODE, CODEX
from workloadlab.ingestion.formats.gateways.weave import WEAVE

__all__ = ["FORMATS"]

FORMATS = (
    OTLP,
    OTLP_SNAKE,
    TEMPO,
    CONSOLE,
    COLLECTED,
    LITELLM,
    LANGFUSE,
    HELICONE,
    OPENROUTER,
    OPENROUTER_DATA,
    OPENROUTER_ACTIVITY,
    PORTKEY,
    KONG,
    KTHENA,
    BEDROCK,
    ENVOY,
    OPENAI_BATCH,
    CLAUDE_CODE,
    CODEX,
    WEAVE,
)
