"""Rows that add up the others, as spreadsheets and reports end with."""

from __future__ import annotations

import polars as pl

__all__ = ["TOTALS", "are_totals", "without_totals"]

TOTALS = "row of totals"
_WORDS = {
    "total", "totals", "grand total", "sum", "sums", "subtotal", "summe", "gesamt",
    "gesamtsumme", "insgesamt", "total general", "total général", "somme", "suma", "soma", "total geral",
    "totale", "合計", "合计", "总计", "总和", "小計", "小计", "総計", "總計",
}  # fmt: skip


def are_totals(text: pl.Series) -> pl.Series:
    """Say which texts name a row of totals.

    Example:
        >>> are_totals(pl.Series(["Summe:", "2026-09-21", None])).to_list()
        [True, False, False]
    """
    bare = text.str.strip_chars(" :\\t").str.to_lowercase()
    return bare.is_in(_WORDS).fill_null(value=False)


def without_totals(rows: tuple[dict[str, str | None], ...]) -> tuple[dict[str, str | None], ...]:
    """Leave out the rows that begin with such a word, where they are few: it may be a name, too."""
    firsts = [next((text for text in row.values() if text), None) for row in rows]
    kept = ~are_totals(pl.Series(firsts, dtype=pl.String))
    if 4 * kept.sum() < 3 * len(rows):
        return rows
    return tuple(row for row, keep in zip(rows, kept, strict=True) if keep)
