"""Tokens that records repeat, or hold for others: calls in calls, lines of a stream, usage by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.formats.names import forms
from workloadlab.ingestion.formats.rivals import namesakes
from workloadlab.ingestion.formats.trees import keys
from workloadlab.ingestion.formats.words import has
from workloadlab.ingestion.parsing.envelopes import CROWD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.formats.words import Only
    from workloadlab.ingestion.head import Head

__all__ = ["calls_alone", "check_repeated", "nested"]

_KIND = re.compile(r"(^|\.)(run_type|span_type|observation_type|span\.kind|span_kind)$")
_CALLS = {"llm", "generation", "chat", "chat_model", "completion"}
"""What the call of a model is named where chains, tools and agents are logged too."""
_SPANS = ("span_id", "run_id", "observation_id", "id")
_PARENTS = {"parent_span_id", "parent_run_id", "parent_observation_id"}
_ANSWERS = {"id", "request_id", "response_id", "message_id"}
_EVENTS = {
    "event",
    "event_type",
    "event_name",
    "type",
    "phase",
    "stage",
    "msg",
    "message",
    "lifecycle",
}
FEW = 6
"""Kinds of lines that a request may have."""
CONSECUTIVE = 100
"""Rows at the beginning of a log that follow each other."""
STEPS = 12
"""Answers longer than the one before in their session, all of them, that are no chance."""
UNEVEN = 0.3
"""How much those steps differ, as parts of their mean; a made-up log counts up evenly."""
STREAMED_SHARE = 0.2


def calls_alone(
    head: Head, columns: Sequence[Column], asked: Mapping[str, str]
) -> tuple[Only, ...]:
    """Return the condition that a run is the call of a model, where it lies in others beside it.

    Chains, tools and agents around a call may repeat its tokens.

    Raises:
        UsageError: the calls have no tokens, so it is not clear which runs are requests.
    """
    tokens = next((keys(each.source)[0] for each in columns if each.target == "input_tokens"), "")
    for key in head.names:
        said = head.said(key) if _KIND.search(key) else []
        calls = {text for text in said if text.lower() in _CALLS}
        others = sorted({text.lower() for text in said} - _CALLS)
        if not calls or not others or key in asked:
            continue
        table = head.table([key, tokens]).drop_nulls()
        if table[key].is_in(list(calls)).any():
            return (has(key, *sorted(calls), *sorted(_CALLS - calls)),)
        raise UsageError(
            f"has runs of several kinds in {key} ({', '.join(others[:3])} beside {min(calls)}), and "
            f"those of a model lack {tokens}: which are requests?",
            where=str(head.path),
            fix=f"choose: --where {key}={others[0]}",
        )
    return ()


def check_repeated(
    head: Head,
    columns: Sequence[Column],
    words: Mapping[str, str],
    asked: Mapping[str, str],
    *,
    alone: bool = False,
) -> None:
    """Ask about tokens that are counted in several records, or of which one of several is read.

    Args:
        head: the log.
        columns: what is read of it.
        words: what the user mapped.
        asked: conditions of the user.
        alone: whether of calls in calls one kind is read.

    Raises:
        UsageError, DataError: there are some.
    """
    by_target = {column.target: keys(column.source) for column in columns}
    if "input_tokens" not in by_target or "input_tokens" in words:
        return
    _check_namesakes(head, by_target["input_tokens"])
    tokens = by_target["input_tokens"][0]
    if not asked and not alone:
        _check_nested(head, tokens)
    if {"arrival_ns", "output_tokens"} <= by_target.keys():
        answer = by_target["output_tokens"][0]
        _check_halves(head, tokens, answer)
        _check_stream(head, by_target["arrival_ns"][0], tokens, answer)
        _check_events(head, tokens, asked)
    if {"session_id", "output_tokens"} <= by_target.keys():
        _check_sessions(head, by_target["session_id"][0], by_target["output_tokens"][0], tokens)


def _check_namesakes(head: Head, read: tuple[str, ...]) -> None:
    """Ask about records that hold the tokens of several requests, by a name each."""
    key, *more = read
    names = [key, *namesakes(head, key)]
    counts = [sum(row.get(name) is not None for name in names) for row in head.rows]
    most = max(counts, default=0)
    at_times = most > 1 and any(0 < count < most for count in counts)
    if most >= CROWD or at_times or (most > 1 and more):
        raise UsageError(
            f"has tokens of {most} requests in one record ({names[0]}, {names[1]}, ...): one would "
            "be read",
            where=str(head.path),
            fix="write one record a request, or say where they lie: records in a --mapping file; or "
            f"choose: --map input_tokens={key}",
        )


def nested(head: Head, tokens: str) -> tuple[str, str, bool] | None:
    """Return the keys of a call's id and of its parent's, where calls lie in others that have tokens.

    Args:
        head: the records.
        tokens: the key of their prompt tokens.

    Returns:
        The keys, and whether the parent's is named after spans or runs: turns of a chat have one, too.

    Example:
        >>> from pathlib import Path; from workloadlab.ingestion.head import Head
        >>> names = ("span_id", "parent_span_id", "input_tokens")
        >>> rows = [dict(zip(names, row)) for row in (("a", None, "9"), ("b", "a", "9"))]
        >>> nested(Head(Path("a"), "csv", names, tuple(rows)), "input_tokens")
        ('span_id', 'parent_span_id', True)
    """
    named = {key: forms(key) for key in head.names}
    traced = any("trace_id" in names for names in named.values())
    parents = [
        f"{key}.spanID" if "references" in names else key
        for key, names in named.items()
        if names & _PARENTS or "references" in names or (traced and "parent_id" in names)
    ]
    own = next((key for name in _SPANS for key, names in named.items() if name in names), "")
    for parent in parents if own else ():
        table = head.table([own, parent, tokens]).drop_nulls(tokens)
        if table[parent].is_in(table[own].drop_nulls().implode()).any():
            return own, parent, bool(forms(parent) & _PARENTS) or parent.endswith(".spanID")
    return None


def _check_nested(head: Head, tokens: str) -> None:
    """Ask about calls in calls that have tokens, too."""
    if tree := nested(head, tokens):
        raise UsageError(
            f"has calls in calls, which name others in {tree[1]} that have tokens, too: the outer ones "
            "may repeat those of the inner ones",
            where=str(head.path),
            fix="choose one kind by a column that tells them apart: --where COLUMN=VALUE; or, if "
            f"each is a request, say so: --map input_tokens={tokens}",
        )


def _check_halves(head: Head, prompt: str, answer: str) -> None:
    """Refuse requests in two lines: of one the prompt would be read, and the answer lost."""
    table = head.table([prompt, answer])
    both = table.drop_nulls().height
    if not both and table[prompt].count() >= CROWD and table[answer].count() >= CROWD:
        raise DataError(
            f"has {prompt} in some rows and {answer} in others: a request in two lines",
            where=str(head.path),
            fix="join them by their id and write one row a request; or leave the answers out: "
            "--map output_tokens=",
        )


def _check_stream(head: Head, arrival: str, prompt: str, answer: str) -> None:
    """Refuse requests in several lines, each with the tokens that were made so far."""
    own = next((key for key in head.names if forms(key) & _ANSWERS), None)
    if own is None or len({own, arrival, prompt, answer}) < 4:
        return
    table = head.table([own, arrival, prompt, answer]).drop_nulls()
    lines = table.group_by(own, arrival, prompt).agg(pl.len(), made=pl.col(answer).n_unique())
    streamed = int(lines.filter(pl.col("made") > 1)["len"].sum())
    if streamed > STREAMED_SHARE * table.height:
        raise DataError(
            f"has several lines a request ({streamed:,} of {table.height:,} looked at share {own}, "
            f"{arrival} and {prompt} with another): each holds the tokens so far",
            where=str(head.path),
            fix="write the last line of each request only; or, if each is a request, say so: "
            f"--map input_tokens={prompt}",
        )


def _check_events(head: Head, prompt: str, asked: Mapping[str, str]) -> None:
    """Ask which line of a request counts, where each has one for its start and one for its end."""
    own = next((key for key in head.names if forms(key) & _ANSWERS), "")
    events = [key for key in head.names if forms(key) & _EVENTS and key not in asked]
    for event in events if own else ():
        table = head.table([own, event, prompt]).drop_nulls()
        lines = table.group_by(own).agg(pl.len(), kinds=pl.col(event).n_unique())
        several = lines.filter((pl.col("kinds") > 1) & (pl.col("kinds") == pl.col("len")))
        if 2 * int(several["len"].sum()) > table.height and table[event].n_unique() <= FEW:
            kinds = [str(kind) for kind in table[event].unique(maintain_order=True)]
            raise UsageError(
                f"has several lines a request, one for each {event} ({', '.join(kinds)}): its tokens "
                "would count in each",
                where=str(head.path),
                fix=f"choose the last: --where {event}={kinds[-1]}",
            )


def _check_sessions(head: Head, session: str, answer: str, prompt: str) -> None:
    """Refuse tokens that only grow within each session: its totals so far, not those of one answer."""
    table = head.table([session, answer])[:CONSECUTIVE].drop_nulls()
    steps = table.select(pl.col(answer).cast(pl.Float64, strict=False).diff().over(session))
    grown = steps.to_series().drop_nulls()
    if grown.len() < STEPS or not (grown > 0).all() or table[session].n_unique() < 2:
        return
    if float(grown.std()) >= UNEVEN * float(grown.mean()):  # type: ignore[arg-type]
        raise DataError(
            f"has running totals by session, not requests: {answer} grows with each row of a {session}",
            where=str(head.path),
            fix="log what each request adds; or, if each row has its own, say so: "
            f"--map input_tokens={prompt}",
        )
