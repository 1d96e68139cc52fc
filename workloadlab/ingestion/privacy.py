"""Text of a log that may be somebody's: kept where it looks like a label, else counted or described.

Any field may hold what does not belong there: a key, a mail address, a prompt. So a label stays only
if it looks like one, and a rejected value is described by its class and length.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import polars as pl

from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workloadlab.ingestion.first_pass import Staged

__all__ = [
    "LABELS",
    "HiddenLabels",
    "described",
    "described_text",
    "named_labels",
    "plain_labels",
    "shareable",
    "strange_labels",
]

LABELS = ("model", "task", "slo_class", "finish_reason", "run_id")
"""Columns of a trace that hold names of the log."""

ALPHABET = r"^[\w.:/+@ \-\[\]()=,|~]{1,64}$"
MOST_LABELS = 1000
"""Of one column; more are ids or text."""

HIDDEN = "\x01"
"""How the hash of a label begins, which no label does."""

REPEATED = 5
"""Requests that share a label of several words; fewer may share somebody's name."""

SHORT_LOG = 20
"""Rows; in a longer log a label that occurs once is no label."""

SHORT_NUMBER = 8
LONG_LABEL = 64
_NOT_A_LABEL = (
    r"^(?:sk-|pk-|rk-|sk_|pk_|gh[pousr]_|github_pat_|xox[a-z]-|AKIA|ASIA|AIza|eyJ|hf_|glpat-|ya29\.)",
    r"^(?:npm_|pypi-|cus_|sess_|whsec_|shpat_|dop_v1_|SG\.)\w{8}",
    r"(?i)^(?:bearer|basic|token|ssh-\w+) ",
    r"(?i)(?:passw(?:or)?d|passphrase|secret|api[_-]?key|token) ?[=:]",
    r"-----",  # as PEM begins
    r"@.*[A-Za-z]",  # a mail address; model@20240229 is a version
    r"(?i)[(\[ ]at[)\] ].*\.",  # one that is written around
    r"://",
    r"^/(?:home|Users)/",
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
    r"(?:[0-9A-Fa-f]{1,4}:+){3}",  # an address of IPv6 or of a network card
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-",
    r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$",  # a bank account (IBAN)
    r"^-?\d{1,3}\.\d{3,}, ?-?\d",  # a place on earth
    r"^\+?[\d\- ()]{7,}$",  # a telephone, a card
    r"^[A-Za-z0-9/+]{36,}={0,2}$",  # a key in base 64
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]{8}",  # a sentence without spaces
    r"(?: .*){4}",  # five words are a sentence
)
_RUN = r"[A-Za-z0-9]{24,}"
"""A key, if digits are in it."""

_NUMBER = r"^\s*[+-]?(?:\d[\d.,_]*(?:[eE][+-]?\d+)?|nan|NaN|inf|Infinity)\s*$"
_DATE = r"^\s*\d{4}-\d\d-\d\d"


def looks_like_a_label(text: pl.Expr) -> pl.Expr:
    """Say whether a text is short, of few words and of a name's signs, and no key, mail or number."""
    shape = text.str.contains(ALPHABET) & (text.str.strip_chars() == text)
    key = text.str.contains(_RUN) & text.str.extract(f"({_RUN})").str.contains(r"\d")
    for pattern in _NOT_A_LABEL:
        shape = shape & ~text.str.contains(pattern)
    return shape & ~key.fill_null(value=False)


class HiddenLabels:
    """Labels of rows that lie on a disk: hashes in their place, whose seeds nobody keeps.

    What a hash stands for is kept in memory, of as many labels of a column as a trace names.

    Attributes:
        known: per column, the label that a hash stands for.
    """

    def __init__(self) -> None:
        self.known: dict[str, dict[str, str]] = {}
        self._seeds = secrets.randbits(63), secrets.randbits(63)

    def hidden(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows whose labels are equal where they were, and can be written to a disk."""
        for name in LABELS:
            if rows.schema.get(name) != pl.String:
                continue
            text = pl.col(name)
            parts = (text.hash(seed).cast(pl.String) for seed in self._seeds)
            labels = rows.select(name).unique(maintain_order=True).drop_nulls()
            if not labels.height:
                continue
            table = labels.with_columns(
                hash=pl.concat_str(pl.lit(HIDDEN), *parts, separator="-"),
                plain=looks_like_a_label(text),
            )
            known = self.known.setdefault(name, {})
            few = table.filter("plain").head(MOST_LABELS + 1 - len(known))
            known.update(few.select("hash", name).iter_rows())
            rows = rows.with_columns(text.replace_strict(table[name], table["hash"], default=None))
        return rows

    def shown(self, name: str) -> pl.Expr:
        """Return a column with its labels in place of their hashes, where they are known."""
        return pl.col(name).replace(self.known.get(name, {}))


def strange_labels(staged: Staged, hidden: HiddenLabels) -> dict[str, list[str]]:
    """Return per column of labels the values that do not look like labels, in order of appearance."""
    found = {}
    for name in sorted(staged.filled.intersection(LABELS)):
        text = pl.col(name)
        counts = (
            staged.rows()
            .select(hidden.shown(name))
            .filter(text.is_not_null())
            .group_by(name, maintain_order=True)
            .len()
            .collect()
        )
        rare = pl.when(text.str.contains(" ")).then(pl.col("len") < REPEATED).otherwise(
            (pl.col("len") == 1) & (counts["len"].sum() >= SHORT_LOG)
        )  # fmt: skip
        many = counts.height > MOST_LABELS
        odd = counts.filter(pl.lit(many) | rare | ~looks_like_a_label(text))
        if odd.height:
            found[name] = odd[name].to_list()
    return found


def plain_labels(
    frame: pl.LazyFrame, strange: dict[str, list[str]], hidden: HiddenLabels
) -> pl.LazyFrame:
    """Return the rows with each of these labels replaced by an ordinal, `model-1`, `model-2`, ...

    Example:
        >>> rows = pl.LazyFrame({"model": ["m", "sk-1234", "m"]})
        >>> plain_labels(rows, {"model": ["sk-1234"]}, HiddenLabels()).collect()["model"].to_list()
        ['m', 'model-1', 'm']
    """
    frame = frame.with_columns(hidden.shown(name) for name in hidden.known)
    return frame.with_columns(
        pl.col(name).replace({label: f"{name}-{n}" for n, label in enumerate(labels, start=1)})
        for name, labels in strange.items()
    )


def named_labels(strange: dict[str, list[str]]) -> list[str]:
    """Say how many labels became ordinals."""
    return [
        plural(len(labels), f"value of {name} does", f"values of {name} do")
        + " not look like labels and became ordinals"
        for name, labels in strange.items()
    ]


def described(text: pl.Expr) -> pl.Expr:
    """Return the class and the length of texts; short numbers as they are."""
    size = text.str.len_chars()
    kind = (
        pl.when(text.str.contains(_NUMBER)).then(pl.lit("number"))
        .when(text.str.contains(_DATE)).then(pl.lit("date"))
        .when(text.str.contains(r"^\s*\{")).then(pl.lit("object"))
        .when(text.str.contains(r"^\s*\[")).then(pl.lit("list"))
        .otherwise(pl.lit("text"))
    )  # fmt: skip
    as_it_is = (text.str.contains(_NUMBER) & (size <= SHORT_NUMBER)) | (size == 0)
    # Not pl.format: polars 2.1 panics where the first chunk of a filtered column is empty.
    words = pl.concat_str(pl.lit("<"), kind, pl.lit(" of "), size, pl.lit(" characters>"))
    return pl.when(text.is_null() | as_it_is).then(text).otherwise(words)


def described_values(asked: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a mapping as `described_text` does."""
    return dict(zip(asked, described_text(asked.values()), strict=True))


def described_text(texts: Iterable[str]) -> list[str]:
    """Return texts as they are where they look like labels or short numbers, else described.

    Example:
        >>> described_text(["gpt-4o", "ana@example.com", "-7"])
        ['gpt-4o', '<text of 15 characters>', '-7']
    """
    text = pl.col("text")
    frame = pl.DataFrame({"text": list(texts)}, schema={"text": pl.String})
    kept = pl.when(looks_like_a_label(text)).then(text).otherwise(described(text))
    return frame.select(kept)["text"].to_list()


def shareable(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows with every rare or long label replaced by an ordinal.

    A label that fewer than five requests have may name a customer, and a long one may be text; both
    become `model-1`, `model-2`, ... in order of first appearance.

    Example:
        >>> rows = pl.LazyFrame({"model": ["m"] * 5 + ["acme-secret"]})
        >>> shareable(rows).collect()["model"].to_list()[-2:]
        ['m', 'model-1']
    """
    present = [name for name in LABELS if name in frame.collect_schema()]
    for name in present:
        counts = (
            frame.group_by(name, maintain_order=True)
            .len()
            .filter(pl.col(name).is_not_null())
            .filter((pl.col("len") < REPEATED) | (pl.col(name).str.len_chars() > LONG_LABEL))
            .collect()
        )
        ordinals = {label: f"{name}-{n}" for n, label in enumerate(counts[name], start=1)}
        if ordinals:
            frame = frame.with_columns(pl.col(name).replace(ordinals))
    return frame
