"""How a request failed, by the codes and names that clients, gateways and engines give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.ingestion.formats.words import choose

if TYPE_CHECKING:
    from workloadlab.ingestion.formats.words import Value

__all__ = ["failure"]

_NAMES: dict[str, tuple[str, ...]] = {
    "rejected": ("429", "RateLimitError", "RateLimitException", "ThrottlingException",
                 "TooManyRequestsException", "ServiceQuotaExceededException"),
    "timeout": ("408", "504", "timeout", "TimeoutError", "APITimeoutError", "ReadTimeout",
                "asyncio.TimeoutError", "ServerTimeoutError", "ModelTimeoutException"),
    "cancelled": ("499", "cancelled", "CancelledError", "RequestCancellationError", "AbortError"),
}  # fmt: skip
_OUTCOMES = {None: "ok"} | {name: outcome for outcome, names in _NAMES.items() for name in names}


def failure(value: Value) -> Value:
    """Read a code or the name of an error; where there is none the request was ok."""
    return choose(value, _OUTCOMES, "error")
