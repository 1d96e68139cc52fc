"""Servers that log a request when it has ended, so that it arrived its duration earlier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from workloadlab.ingestion.formats.format import Column
from workloadlab.ingestion.formats.names import forms
from workloadlab.ingestion.formats.rivals import is_dated, moments_of
from workloadlab.ingestion.formats.trees import keys
from workloadlab.ingestion.formats.words import Key, Minus, Value, minus
from workloadlab.ingestion.parsing.prefixes import LOG_TIME
from workloadlab.ingestion.parsing.times import durations

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from workloadlab.ingestion.head import Head

__all__ = ["assumed_start", "before_end", "begun", "ended", "named_beginning"]


@dataclass(frozen=True)
class Server:
    """One of them.

    Attributes:
        name: what people call it.
        duration: the plain name of the time that a request took.
        unit: its unit; None where versions differ.
        beside: other names, of which its logs have one.
    """

    name: str
    duration: str
    unit: str | None
    beside: frozenset[str]


SERVERS = (
    Server(
        "nginx",
        "request_time",
        "s",
        frozenset({
            "time_iso8601", "time_local", "msec", "upstream_response_time", "upstream_header_time",
            "upstream_connect_time", "upstream_addr", "upstream_status", "body_bytes_sent",
            "bytes_sent", "remote_addr", "request_length", "request_uri", "http_user_agent",
            "http_referer", "server_name",
        }),
    ),
    Server(
        "W3C extended",
        "time_taken",
        None,
        frozenset({
            "s_ip", "c_ip", "s_port", "s_sitename", "s_computername", "cs_method", "cs_uri",
            "cs_uri_stem", "cs_uri_query", "cs_host", "cs_username", "cs_user_agent", "cs_bytes",
            "cs_version", "sc_status", "sc_substatus", "sc_bytes", "sc_win32_status",
            "x_edge_location", "x_edge_result_type",
        }),
    ),
    Server(
        "Caddy",
        "duration",
        "s",
        frozenset({"request_remote_ip", "request_remote_port", "request_client_ip", "resp_headers"}),
    ),
    Server(
        "Ollama",
        "total_duration",
        "ns",
        frozenset({"eval_count", "prompt_eval_count", "eval_duration", "load_duration"}),
    ),
)  # fmt: skip
"""nginx: `ngx_http_log_module`, whose moments are those of the log write; IIS writes `time-taken` in ms,
CloudFront in s; Caddy's `ts` is that
of its log line; `created_at` of Ollama's last answer is when that was made."""

_LINE = Server("its line says so", "", None, frozenset())
_STAMPS = {
    "timestamp", "ts", "t", "time", "datetime", "date", "asctime", "event_time", "log_time",
    "logged_at", "logging_time",
}  # fmt: skip
_MESSAGES = {"msg", "message", "event", "event_type", "event_name", "log_message"}
_DONE = re.compile(
    r"(^|[ _.:-])(completed|finished|done|ended|end|handled|served|closed)($|[ _.:,!-])",
    re.IGNORECASE,
)
CONSECUTIVE = 100
"""Rows at the beginning of a log that follow each other."""
LINE = 80
"""Characters of a message; longer ones are somebody's text."""
_BEGINNING = re.compile(r"start|begin|beg[ua]n|arriv|receiv|launch|queued|request_created|submit")


def named_beginning(name: str) -> bool:
    """Say whether a plain name speaks of a request's beginning.

    Example:
        >>> named_beginning("request_start"), named_beginning("timestamp")
        (True, False)
    """
    return bool(_BEGINNING.search(name))


def begun(head: Head, columns: dict[str, Column]) -> dict[str, Column]:
    """Return arrival and e2e where a server logs when a request ended, and how long it took."""
    server, end = _ends(head, list(columns.values()))
    if server is _LINE:
        return before_end(columns, end)
    if server is None:
        return {}
    exact = next((key for key in head.names if "msec" in forms(key)), None)
    source: Value = end if exact is None else Key(exact, "s")
    unit = None if exact is None else "s"
    lasted = columns.get("e2e_ns")
    if lasted is None or server.duration not in forms(str(lasted.source)):
        return {"arrival_ns": Column("arrival_ns", source, unit)}
    took = Key(str(lasted.source), server.unit)
    return {
        "arrival_ns": Column("arrival_ns", minus(source, took), unit),
        "e2e_ns": Column("e2e_ns", took, server.unit),
    }


def before_end(columns: dict[str, Column], end: str) -> dict[str, Column]:
    """Return the arrival where a log has only the end of a request and how long it took."""
    lasted = columns.get("e2e_ns")
    if lasted is None or lasted.source == end or not isinstance(lasted.source, str):
        return {}
    return {"arrival_ns": Column("arrival_ns", minus(end, Key(str(lasted.source))))}


def ended(head: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about arrivals that are the ends of requests, for want of their durations."""
    server, end = _ends(head, columns)
    if server is None or any(
        column.target == "arrival_ns" and isinstance(column.source, Minus) for column in columns
    ):
        return None
    return f"{end} is when a request ended ({server.name}), and no duration tells when it arrived"


def assumed_start(head: Head, columns: Sequence[Column]) -> str | None:
    """Return a sentence about stamps that are taken for starts, where they may as well be ends.

    Lines are written when requests end: where the ends grow from line to line and the stamps do not,
    the stamps are starts.
    """
    by_target = {column.target: column.source for column in columns}
    arrival, lasted = (by_target.get(target) for target in ("arrival_ns", "e2e_ns"))
    if not (isinstance(arrival, Key) and isinstance(lasted, Key) and forms(arrival.name) & _STAMPS):
        return None
    if not is_dated(head.said(arrival.name)):
        return None
    table = head.table([arrival.name, lasted.name])[:CONSECUTIVE]
    stamps = moments_of(table[arrival.name])
    took = durations(table[lasted.name], lasted.unit or "s").values
    if _grows(stamps + took) and not _grows(stamps):
        return None
    return (
        f"{arrival.name} is taken for the start of a request, which nothing shows; if it is the end, "
        f"say so: --map 'arrival={arrival.name}-{lasted.name}'"
    )


def _grows(values: pl.Series) -> bool:
    return bool((values.drop_nulls().diff().drop_nulls() >= 0).all())


def _ends(head: Head, columns: Sequence[Column]) -> tuple[Server | None, str]:
    """Return the server that logged when requests ended, and where it says so."""
    arrival = next((column.source for column in columns if column.target == "arrival_ns"), None)
    while isinstance(arrival, Minus):
        arrival = arrival.end
    if arrival is None or any(named_beginning(name) for name in forms(keys(arrival)[0])):
        return None, ""
    end = keys(arrival)[0]
    names = {name for key in head.names for name in forms(key)}
    timed = (each for each in SERVERS if each.duration in names and each.beside & names)
    clocked = (each for each in SERVERS if forms(end) & each.beside)
    late = end == LOG_TIME or (forms(end) & _STAMPS and _says_so(head))
    line = (_LINE for _ in "." if late)
    return next(chain(timed, clocked, line), None), end


def _says_so(head: Head) -> bool:
    """Say whether lines say that they were written when a request had ended: `request completed`."""
    for key in head.names:
        if forms(key) & _MESSAGES and (said := head.said(key)):
            done = sum(bool(_DONE.search(text)) for text in said if len(text) <= LINE)
            if 10 * done >= 9 * len(said):
                return True
    return False
