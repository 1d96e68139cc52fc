"""Words for the end of a request that nobody knows: rows would be set aside for what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.errors import UsageError
from workloadlab.ingestion.formats.trees import keys
from workloadlab.ingestion.parsing.outcomes import unknown_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloadlab.ingestion.formats import Column
    from workloadlab.ingestion.head import Head

__all__ = ["check_outcomes"]

_WORD = re.compile(r"[^\W\d_][\w .:/-]{0,31}")
"""A word that may be told: no number, no sentence, no address."""
LEAST_ROWS = 2
LEAST_SHARE = 0.01


def check_outcomes(head: Head, columns: Sequence[Column], asked: Mapping[str, str]) -> None:
    """Ask about words that say no known outcome, where more than a stray row has them.

    Raises:
        UsageError: there are some.
    """
    source = next((column.source for column in columns if column.target == "outcome"), None)
    key = keys(source)[0] if isinstance(source, str) else ""
    if not key or key in asked:
        return
    said = pl.Series(head.said(key), dtype=pl.String)
    words = [word for word in unknown_words(said) if _WORD.fullmatch(word.strip())]
    rows = int(said.is_in(words).sum())
    if rows < max(LEAST_ROWS, LEAST_SHARE * said.len()):
        return
    good = next((word for word in said if word not in words), words[0])
    raise UsageError(
        f"{key} says {', '.join(words[:4])}{', ...' if len(words) > 4 else ''} in {rows:,} of "
        f"{said.len():,} rows looked at, which is no outcome that is known: without these rows the "
        "trace would be another workload",
        where=str(head.path),
        fix=f"leave the outcome out: --map outcome=; or choose rows: --where {key}={good}; or say what "
        "the words mean in a --mapping file: outcome = {choose = ..., table = {...}}",
    )
