"""Files that people take for request logs and that hold no requests: what they are, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloadlab.errors import DataError
from workloadlab.ingestion.parsing.values import is_number

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.ingestion.head import Head

__all__ = ["ASIDE", "NO_COLUMNS", "check", "check_sums", "check_text"]


@dataclass(frozen=True)
class Refusal:
    """A kind of file.

    Attributes:
        what: what it is and why it holds no requests.
        fix: what to export instead.
        keys: keys that it has, all of them.
        without: keys that would make it something else.
        says: a key and what it says, where many files have such keys.
        text: what its text starts with.
    """

    what: str
    fix: str
    keys: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    says: tuple[str, str] | None = None
    text: str = ""


_DETAILS = (
    "run the benchmark again with --save-result --save-detailed (vLLM) or --output-details (SGLang)"
)
_AZURE = (
    "is a diagnostic log of Azure OpenAI: bytes, not tokens",
    "log the requests in a gateway that counts tokens",
)
"""Of its portal (DurationMs), and of a storage account (durationMs)."""
NO_COLUMNS = "is text without columns, not a log"
_HEADING = "begins with # like a heading or a comment, not like a log"
_YAML = "is YAML, not a log"
ASIDE = {NO_COLUMNS, _HEADING, _YAML}
"""What is left aside when it is named together with logs, as a shell's pattern names it."""

_SERVEGEN = (
    "is a ServeGen client: a workload model (rates and distributions by window), not requests"
)
_GENERATE = "generate a trace from it with ServeGen, and ingest that"
REFUSALS = (
    Refusal(
        "is Prometheus metrics: counters over all requests, not one row each",
        "export the gateway's or the engine's request log instead: one line a request with its time, "
        "prompt_tokens and completion_tokens",
        text=r"# (HELP|TYPE) |[A-Za-z_:][\w:]*\{[^}\n]*\} [+-]?[\d.]+(e[+-]?\d+)?( \d+)?\r?\n",
    ),
    Refusal(
        "is an MLPerf loadgen log: settings and aggregates, not one row a request",
        "use mlperf_log_accuracy.json's requests with their lengths, or the client's own log",
        text=r":::MLLOG",
    ),
    Refusal(
        "is an engine's text log: it gives averages, and lines without token counts",
        "write requests as JSON: sglang --log-requests-format json, vLLM --otlp-traces-endpoint, or "
        "the gateway's access log",
        text=r"(\(\w+ pid=\d+\) )?(INFO|WARNING|DEBUG) \d\d-\d\d \d\d:\d\d:\d\d"
        r"|\[GIN\]|\[\d{4}-\d\d-\d\d[ T][\d:.,]+[^\]\n]*\] (\w+: +)?"
        r"(Decode batch|Prefill batch|server_args|INFO)",
    ),
    Refusal(
        "is the text log of llama.cpp's server: it counts the tokens of each request, but no line has "
        "the time of day",
        "log the requests in the gateway or the client, one JSON line each with its time and the usage "
        "of the answer",
        text=r"(slot|srv) +\w+: ",
    ),
    Refusal(
        "is an access log in text, whose values stand between spaces without names",
        "log JSON with the tokens in it: json_format (Envoy, Istio), log_format escape=json (nginx), "
        "accessLog format json (Traefik), log-format with names (HAProxy)",
        text=r'[^\n]{0,200}(?<!=)"(GET|POST|PUT) [^"\n]*"',
    ),
    Refusal(
        "is a text log: its values stand in sentences, not in columns",
        "write JSON lines or key=value pairs, such as ts=2026-09-21T14:13:20Z prompt_tokens=101 "
        "completion_tokens=11",
        text=r"\[\d{4}-\d\d-\d\d[ T][\d:.,]+[^\]\n]*\] ",
    ),
    Refusal(
        _SERVEGEN,
        _GENERATE,
        text=r"[\d.]+,[\d.eE+-]*,[\d.eE+-]*,(Gamma|Weibull|Exponential|)?,[\d.eE+-]*,[\d.eE+-]*\r?\n",
    ),
    Refusal(
        "has no header: its first line holds numbers, not names of columns",
        "put a line with the names of the columns before it",
        text=r"-?[\d.]+([,;\t|]-?[\d.eE+-]*)+\r?\n",
    ),
    Refusal(
        "is a W3C extended log (of IIS or CloudFront): its columns stand in a line #Fields, with "
        "spaces between them, the day apart from the time",
        "write a CSV file: the names of #Fields, then the rows, day and time in one column datetime",
        text=r"#(Software|Version|Date|Fields|Remark): ",
    ),
    Refusal(
        _YAML,
        "export the JSON of the same results",
        text=r"(---\r?\n)?(- )?[A-Za-z_]\w*:([ \t][^,;\t\n]*)?\r?\n",
    ),
    Refusal(
        "is HTML, a page and not a log",
        "fetch the file itself, not the page that shows it",
        text=r"<(!DOCTYPE|html)",
    ),
    Refusal(
        "is XML, not a log",
        "export the requests as CSV or JSON lines",
        text=r"<(\?xml|[A-Za-z]\w*[ >])(?!html)",
    ),
    Refusal(
        "is a dump in SQL, statements and not a table",
        "export the table: COPY ... TO STDOUT WITH CSV HEADER (PostgreSQL), SELECT ... INTO OUTFILE",
        text=r"(--|/\*|INSERT INTO|CREATE TABLE|COPY [^\n]* FROM stdin|SET |BEGIN;)",
    ),
    Refusal(
        _HEADING,
        "leave it out",
        text=r"#{1,3} [^,\n]*\n",
    ),
    Refusal(
        "is OpenAI usage: sums of many requests by bucket of time, not one row each",
        "log the requests in a gateway; use this for their rate only",
        frozenset({"object", "data"}),
        says=("object", "page"),
    ),
    Refusal(_SERVEGEN, _GENERATE, frozenset({"window_start_s", "rate_rps", "cv"})),
    Refusal(
        "is an answer of Loki without lines of JSON or key=value pairs",
        "query the lines of a gateway that logs one of these for each request",
        frozenset({"data.resultType", "data.result"}),
        says=("data.resultType", "streams"),
    ),
    Refusal(
        "is an answer of Prometheus: a metric over time, not one row a request",
        "export the gateway's or the engine's request log instead",
        frozenset({"data.resultType", "data.result"}),
    ),
    Refusal(
        "is chats in ShareGPT's form: text without token counts or times",
        "run them through a benchmark client and ingest its records",
        frozenset({"conversations"}),
    ),
    Refusal(
        "is performance metrics of TensorRT-LLM: times without token counts",
        "log the requests in the gateway or the client, with usage in the answers",
        frozenset({"perf_metrics.timing_metrics.arrival_time"}),
    ),
    Refusal(
        "is the summary of a serving benchmark, without its requests",
        _DETAILS,
        frozenset({"mean_ttft_ms", "request_throughput"}),
        frozenset({"input_lens", "ttfts"}),
    ),
    Refusal(
        "is the summary of a genai-perf or AIPerf run: statistics, not requests",
        "ingest profile_export.jsonl of the same run",
        frozenset({"request_latency.avg", "request_throughput.avg"}),
    ),
    Refusal(
        "is a genai-perf profile: moments of responses without token counts",
        "run AIPerf, whose profile_export.jsonl has the lengths",
        frozenset({"experiments"}),
    ),
    Refusal(
        "is a summary of inference-perf, not its requests",
        "ingest per_request_lifecycle_metrics.json of the same run",
        frozenset({"load_summary"}),
    ),
    Refusal(
        "is points of k6: one value of one metric each, not one row a request",
        "write one line a request in the script, such as console.log(JSON.stringify({...})), or "
        "handleSummary",
        frozenset({"metric", "data.time", "data.value"}),
    ),
    Refusal(
        "is statistics of Locust: sums and percentiles, not requests",
        "write one line a request in a listener of events.request",
        frozenset({"Request Count", "Failure Count"}),
    ),
    Refusal(
        "is the history of Locust: sums and percentiles by second, not requests",
        "write one line a request in a listener of events.request",
        frozenset({"Requests/s", "Total Request Count"}),
    ),
    Refusal(
        "is OpenTelemetry metrics: sums over all requests, not spans",
        "export traces instead: the file exporter in a traces pipeline",
        frozenset({"resourceMetrics"}),
    ),
    Refusal(
        "is OpenTelemetry logs, not spans",
        "export traces instead: the file exporter in a traces pipeline",
        frozenset({"resourceLogs"}),
    ),
    Refusal(
        "is the input of an OpenAI batch: prompts without token counts or times",
        "ingest the batch's output file",
        frozenset({"custom_id", "method", "url"}),
    ),
    Refusal(*_AZURE, frozenset({"operationName", "properties", "DurationMs"})),
    Refusal(*_AZURE, frozenset({"operationName", "properties", "durationMs"})),
)
"""Every such kind of file."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_WINDOWS = re.compile(r"\d+\.(input|output|image|audio|video|reason)\w*")
_MANY = re.compile(
    r"(^|[._])(num_(model_)?requests|n_requests|requests?_count|count_requests|total_requests|"
    r"api_requests|num_calls|batch_size|num_prompts|n_prompts)$|^(requests|calls|invocations|count)$",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"^(requests|calls|invocations|count)$", re.IGNORECASE)
LEAST_TOKENS = 16
"""Tokens that a request has at the least, on average of many."""


def check(head: Head) -> None:
    """Refuse a file whose keys show that it holds no requests.

    Raises:
        DataError: it is one of these.
    """
    present = set(head.keys) | {key.split(".")[0] for key in head.keys}
    for refusal in REFUSALS:
        told = refusal.says is None or refusal.says[1] in head.samples.get(refusal.says[0], [])
        if refusal.keys and refusal.keys <= present and not refusal.without & present and told:
            raise DataError(refusal.what, where=str(head.path), fix=refusal.fix)
    if head.keys and all(_WINDOWS.fullmatch(key) for key in head.keys):
        raise DataError(_SERVEGEN, where=str(head.path), fix=_GENERATE)


def check_sums(head: Head, tokens: str) -> None:
    """Refuse records that count the requests in them.

    A bare word such as `count` may count something else: a request has no fewer tokens than that.

    Args:
        head: the records, not the document around them.
        tokens: the key of their prompt tokens.

    Raises:
        DataError: they are sums.
    """
    for key in head.keys:
        if not _MANY.search(key):
            continue
        many = [
            (float(text), float(size))
            for row in head.rows
            if (text := row.get(key)) and is_number(text) and float(text) > 1
            and (size := row.get(tokens)) and is_number(size)
        ]  # fmt: skip
        if _COUNTED.search(key):
            many = [(count, size) for count, size in many if size >= LEAST_TOKENS * count]
        if many:
            raise DataError(
                f"has sums of many requests, not requests: {key} is {max(many)[0]:.0f} in one row",
                where=str(head.path),
                fix="log the requests one by one; use this for their rate only. If it counts something "
                "else, name the columns: --map arrival=COLUMN --map input_tokens=COLUMN",
            )


def check_text(path: Path, start: str) -> None:
    """Refuse a text whose beginning shows that it is no table.

    Raises:
        DataError: it is one of these.
    """
    plain = _COLOURS.sub("", start)
    for refusal in REFUSALS:
        if refusal.text and re.match(refusal.text, plain):
            raise DataError(refusal.what, where=str(path), fix=refusal.fix)
