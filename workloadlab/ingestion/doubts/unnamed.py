"""Logs whose columns go by no known name: which of them may be what, and which are no tokens."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.doubts.unread import listed_keys, looks_timed
from workloadlab.ingestion.formats.generic import ALIASES
from workloadlab.ingestion.formats.names import forms, plain
from workloadlab.ingestion.formats.parts import TOTALS
from workloadlab.ingestion.formats.rivals import is_dated, some
from workloadlab.ingestion.formats.tongues import spoken
from workloadlab.ingestion.parsing.values import is_number
from workloadlab.ingestion.timing import short

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from workloadlab.ingestion.head import Head

__all__ = ["check_counts", "unnamed"]

_OTHER_UNITS = (
    ("characters", r"chars?|characters?|zeichen|caracteres|字符数?|字数|文字数"),
    ("words", r"words?|worter|woerter|mots|palabras|palavras|单词数?"),
    ("bytes", r"(k|m)?bytes?|字节数?|バイト数?"),
)
_NO_COUNT = re.compile(
    r"(^|_)(total|sum|status|code|port|cost|price|usd|eur|max|limit|id|seq|index|row|version|year|pid|line|"
    r"lineno|offset|partition)(_|$)"
)
_MARK = re.compile(r"[.,'\s]")
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,'\s]\d{3})+")
"""A number with marks between its thousands."""
FEWEST_TOKENS = 2
"""What prompts have in the middle at the least."""


def unnamed(
    head: Head,
    under: Head,
    lacking: Sequence[str],
    proposed: Collection[str],
    near: str | None,
    encoding: str | None,
) -> Exception:
    """Return the refusal of a log that lacks columns by known names: what may be mapped, and what not.

    Args:
        head: the log.
        under: the head of what may be its records.
        lacking: trace columns that a request needs and the log lacks.
        proposed: trace columns that are known or mapped.
        near: a known format that is like it.
        encoding: what it was read in, where that is not UTF-8.
    """
    where = str(head.path)
    if any("\ufffd" in key for key in head.keys):
        return DataError(
            "has names of columns in an encoding that is not UTF-8 and cannot be told",
            where=where,
            fix="write it as UTF-8: iconv -f CP1251 -t UTF-8 FILE > FILE.utf8 (or BIG5, EUC-KR, ...)",
        )
    if "input_tokens" in lacking and (key := _metrics(under)):
        return DataError(
            f"has one row a metric, whose name stands in {key}: a request lies in several rows",
            where=where,
            fix="write one row a request, with its time, prompt tokens and answer tokens side by side",
        )
    counts = _counts(under)
    what = (
        "no log format recognised: nothing looks like "
        f"{' or '.join(short(name) for name in lacking)}.\n"
        f"  keys seen: {listed_keys(head.keys)}"
        + (f" (read as {encoding})" if encoding else "")
        + (f"\n  nearest format: {near}" if near else "")
    )
    if "input_tokens" in lacking and not counts and len(under.rows) > 1:
        return UsageError(
            what + "\n  no column of whole numbers may be tokens of prompts" + _why_not(under),
            where=where,
            fix="log the usage of each answer (prompt_tokens, completion_tokens), or count the tokens "
            "of the prompts with the model's tokenizer and add a column",
        )
    return UsageError(
        what + _may_be(under, counts, proposed),
        where=where,
        fix=f"name the columns: {_maps(under, lacking, proposed)} "
        "(and --unit arrival=ms where it is not seconds)",
    )


def check_counts(head: Head, words: Mapping[str, str]) -> None:
    """Question counts that the user mapped from characters, words, bytes or totals.

    Raises:
        UsageError: the name of the column says that it counts something else.
    """
    for target in ("input_tokens", "output_tokens"):
        key = words.get(target, "")
        unit = _unit(key)
        if not key or unit is None:
            continue
        total = unit == "prompts and answers together"
        raise UsageError(
            f"--map {target}={key}: by its name it counts {unit}, not the tokens of "
            + ("prompts" if target == "input_tokens" else "answers"),
            where=str(head.path),
            fix=("subtract the other part: --map 'input_tokens=TOTAL-ANSWER'" if total
                 else "count tokens with the model's tokenizer and add a column")
            + "; if its name is wrong, rename the column",
        )  # fmt: skip


def _unit(key: str) -> str | None:
    """Return what a name says that a column counts in place of tokens."""
    if forms(key) & TOTALS:
        return "prompts and answers together"
    name = f"_{plain(key.rpartition('.')[2])}_"
    if "tok" in name:
        return None
    units = (unit for unit, words in _OTHER_UNITS if re.search(rf"_({words})_|({words})_$", name))
    return next(units, None)


def _counts(head: Head) -> list[str]:
    """Return the keys that may count tokens: whole numbers of some size, not named otherwise."""
    return [key for key in head.names if _may_count(key, head.said(key))]


def _may_count(key: str, said: list[str]) -> bool:
    few = [_MARK.sub("", text) if _GROUPED.fullmatch(text) else text for text in some(said)]
    if not few or not all(is_number(text) and float(text) >= 0 for text in few):
        return False
    sizes = sorted(float(text) for text in few)
    whole = all(size == round(size) for size in sizes)
    named = _unit(key) or _NO_COUNT.search(plain(key)) or looks_timed(key, said)
    return whole and sizes[len(sizes) // 2] >= FEWEST_TOKENS and not named and not is_dated(said)


def _metrics(head: Head) -> str | None:
    """Return the key that names a metric in each row, `Prompt Tokens` and `Completion Tokens`."""

    def says(texts: Iterable[str], target: str) -> bool:
        return any(
            forms(text) & {*ALIASES[target]} or spoken(target, forms(text)) for text in texts
        )

    for key in head.names:
        texts = {text for text in head.said(key) if len(text) < 60}
        if says(texts, "input_tokens") and says(texts, "output_tokens"):
            return key
    return None


def _may_be(head: Head, counts: list[str], proposed: Collection[str]) -> str:
    """Return lines about columns whose values look like counts or times."""
    timed = [key for key in head.names if looks_timed(key, head.said(key))]
    lasting = [key for key in timed if not is_dated(head.said(key))]
    told = ""
    if counts and not {"input_tokens", "output_tokens"} <= {*proposed}:
        told += f"\n  perhaps input_tokens, output_tokens: {listed_keys(tuple(counts), 8)}"
    if lasting and not {"ttft_ns", "e2e_ns"} & {*proposed}:
        told += f"\n  perhaps durations (e2e, ttft): {listed_keys(tuple(lasting), 8)}"
    return told


def _why_not(head: Head) -> str:
    units = {key: unit for key in head.names if (unit := _unit(key))}
    return "".join(f"; {key} counts {unit}" for key, unit in units.items())


def _maps(head: Head, lacking: Sequence[str], proposed: Collection[str]) -> str:
    """Return the options that name what is lacking, the moment by the column that looks like one."""
    moments = (key for key in head.names if is_dated(head.said(key)) and head.said(key))
    moment = next(moments, "COLUMN")
    return " ".join(
        "--map " + shlex.quote(f"{short(name)}={moment if name == 'arrival_ns' else 'COLUMN'}")
        for name in (*lacking, *({"output_tokens"} - {*proposed}))
    )
