"""What a router sees: one row for each signal, and all that is made from the rows.

A router gets one request record and an array of instance records. Fields are plain numbers of 8 bytes,
so the same record types serve compiled and interpreted routers. To add a signal, write its row here and
compute it in both engines: in `fixed_signals` of `simulation/fixed_signals.py` if its kind is "fixed",
else in `engine/router_side.py` and in `reference/`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

__all__ = [
    "DECODING_FIELDS",
    "ENDED_FIELDS",
    "INSTANCE",
    "INSTANCE_FIELDS",
    "ORACLE_FIELDS",
    "PREFIX_FIELDS",
    "REPORTED_FIELDS",
    "REQUEST",
    "REQUEST_FIELDS",
    "SIGNALS",
    "SINCE_REPORT_FIELDS",
    "Signal",
    "signals_table",
    "signatures",
]

Kind = Literal["own", "reported", "fixed", "prefix", "request", "router"]


@dataclass(frozen=True)
class Signal:
    """One field of a record that a router sees.

    Attributes:
        name: of the field.
        code: numpy's code of its type, "i8" or "f8".
        unit: "" for numbers that only name something.
        kind: of an instance "own", which the router counts by itself and so never stale; "reported",
            which the engine reports, so as old as the report; "fixed", which stands during a run; or
            "prefix", which is looked up for the request. On the request record "request", of the
            request itself, or "router", of the router at the decision.
        meaning: in one line.
        decoding: it changes while an engine only decodes; the others stand until a sequence ends.
        oracle: only a router that declares needs={"oracle"} may read it.
    """

    name: str
    code: str
    unit: str
    kind: Kind
    meaning: str
    decoding: bool = False
    oracle: bool = False

    @property
    def record(self) -> str:
        """The record that it is a field of: "request" or "instance"."""
        return "request" if self.kind in ("request", "router") else "instance"


SIGNALS = (
    Signal("row", "i8", "", "request", "index of the request in the trace, from 0"),
    Signal("arrival_s", "f8", "s", "request", "arrival, from the start of the trace"),
    Signal("now_s", "f8", "s", "router", "time of this decision; after arrival_s if it was deferred"),
    Signal("input_tokens", "i8", "tokens", "request", "prompt length"),
    Signal("predicted_output_tokens", "i8", "tokens", "request",
           "the trace's prediction; without one, the mean of what finished; the truth for an oracle"),
    Signal("output_tokens", "i8", "tokens", "request",
           'true output length; 0 unless the router declares needs={"oracle"}', oracle=True),
    Signal("prefix_key", "i8", "", "request",
           "id of the prompt's first whole blocks, 256 tokens or one block; -1 if none or not declared"),
    Signal("session", "i8", "", "request", "dense number of the request's session, -1 without one"),
    Signal("draw", "f8", "", "router", "a fresh uniform random number in [0, 1) for this decision"),
    Signal("model", "i8", "", "request", "the model asked for, as in an instance's; -1 for any"),
    Signal("slo_class", "i8", "", "request", "dense number of the service class, -1 without one"),
    Signal("priority", "i8", "", "request", "the lower, the more important; 0 without one"),
    Signal("tenant", "i8", "", "request", "dense number of the tenant, -1 without one"),
    Signal("queue_length", "i8", "requests", "router",
           "requests in the router's own queue, this one among them"),
    Signal("report_age_s", "f8", "s", "router",
           "age of the report that the reported signals are of; 0 if signals are never stale"),
    Signal("index", "i8", "", "fixed", "position in the cluster, what a choosing router returns"),
    Signal("in_flight", "i8", "requests", "own", "requests sent here and not finished"),
    Signal("running", "i8", "requests", "reported", "requests in the engine's batch"),
    Signal("waiting", "i8", "requests", "reported", "requests in the engine's queue"),
    Signal("queued_tokens", "i8", "tokens", "reported",
           "prompt tokens (or tokens to recompute) not yet prefilled"),
    Signal("output_tokens_left", "i8", "tokens", "reported",
           "predicted output tokens not yet generated, at least 0 each, of the requests sent here",
           decoding=True),
    Signal("context_tokens", "i8", "tokens", "reported",
           "tokens held in the KV cache by running requests", decoding=True),
    Signal("kv_blocks_used", "i8", "blocks", "reported", "KV blocks in use", decoding=True),
    Signal("next_decode_s", "f8", "s", "reported",
           "predicted time of a decode step of `running` requests over `context_tokens`; 0 if idle",
           decoding=True),
    Signal("ended", "i8", "requests", "reported", "requests that it has served to their end"),
    Signal("ended_input_tokens", "i8", "tokens", "reported", "their prompt tokens"),
    Signal("ended_output_tokens", "i8", "tokens", "reported", "their output tokens"),
    Signal("prefill_total_s", "f8", "s", "reported",
           "seconds from their first step to their first token, added up"),
    Signal("decode_total_s", "f8", "s", "reported",
           "seconds from their first token to their last, added up"),
    Signal("kv_blocks", "i8", "blocks", "fixed", "KV blocks of the instance"),
    Signal("block_size", "i8", "tokens", "fixed", "tokens per KV block"),
    Signal("max_num_seqs", "i8", "requests", "fixed", "most requests that may run together"),
    Signal("pool", "i8", "", "fixed", "position of its pool in the cluster"),
    Signal("model", "i8", "", "fixed",
           "number of the model that it serves, by name among the trace's; of several the first, -1 "
           "for any"),
    Signal("relative_speed", "f8", "", "fixed",
           "time of a decode step of 32 requests over 32,768 tokens on the fastest pool / here"),
    Signal("cached_tokens", "i8", "tokens", "prefix",
           'prompt tokens of this request resident here; 0 if "prefix" is not declared, or an index is',
           decoding=True),
    Signal("indexed_tokens", "i8", "tokens", "prefix",
           "prompt tokens of this request in the router's own index; cached_tokens if it has none"),
    Signal("index_size_tokens", "i8", "tokens", "prefix",
           "tokens that the router's index holds for the instance"),
    Signal("sent_since_report", "i8", "requests", "own",
           "requests sent here since the report was taken, or was seen if the router overwrites; 0 if "
           "signals are never stale"),
    Signal("sent_tokens_since_report", "i8", "tokens", "own", "their prompt tokens"),
    Signal("fits", "i8", "", "own",
           "1 if the request can be sent here now, 0 if it would be rejected"),
)  # fmt: skip
"""Every signal, in the order of the records' fields."""


def _rows(record: str) -> tuple[Signal, ...]:
    return tuple(signal for signal in SIGNALS if signal.record == record)


def _dtype(record: str) -> np.dtype[Any]:
    return np.dtype([(signal.name, signal.code) for signal in _rows(record)], align=True)


REQUEST, INSTANCE = _dtype("request"), _dtype("instance")

REQUEST_FIELDS = {signal.name: (signal.code, signal.meaning) for signal in _rows("request")}
INSTANCE_FIELDS = {signal.name: (signal.code, signal.meaning) for signal in _rows("instance")}

REPORTED_FIELDS = tuple(s.name for s in _rows("instance") if s.kind == "reported")
"""Fields of an instance that a stale view copies from a report."""

SINCE_REPORT_FIELDS = ("sent_since_report", "sent_tokens_since_report")
"""Fields of an instance that count from the report on."""

DECODING_FIELDS = frozenset(signal.name for signal in SIGNALS if signal.decoding)
"""Fields of an instance that change while it only decodes."""

ENDED_FIELDS = (
    "ended", "ended_input_tokens", "ended_output_tokens", "prefill_total_s", "decode_total_s"
)  # fmt: skip
"""Fields of an instance that say how long the requests took that ended."""

PREFIX_FIELDS = frozenset(signal.name for signal in SIGNALS if signal.kind == "prefix")
"""What is there only for a router that declares "prefix"."""

ORACLE_FIELDS = frozenset(signal.name for signal in SIGNALS if signal.oracle)


def signals_table() -> list[dict[str, Any]]:
    """Return the signals as plain rows, for a list or a page.

    Example:
        >>> signals_table()[3]["record"], signals_table()[3]["name"], signals_table()[3]["unit"]
        ('request', 'input_tokens', 'tokens')
    """
    return [{"record": signal.record, **asdict(signal)} for signal in SIGNALS]


def signatures() -> tuple[Any, Any]:
    """Return the numba signatures of score and choose functions."""
    from numba import from_dtype, types

    request, instance = from_dtype(REQUEST), from_dtype(INSTANCE)
    numbers = types.float64[::1]
    return (
        types.float64(request, instance, numbers),
        types.int64(request, types.Array(instance, 1, "C"), numbers, numbers),
    )
