"""How a request ended: the words that gateways, engines and people write for it."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from workloadlab.ingestion.parsing.values import Parsed, judged, missing
from workloadlab.trace import OUTCOMES

__all__ = ["UNKNOWN", "outcomes", "unknown_words"]

UNKNOWN = "unknown outcome"
MOST_WORDS = 1_000
"""Distinct words that are looked at one by one; a column with more holds no outcomes."""
_SYNONYMS = {
    "ok": ("success", "succeeded", "successful", "completed", "complete", "finished", "true", "stop",
           "length", "done", "unset", "status_code_ok", "default"),
    "error": ("failure", "failed", "fail", "errored", "exception", "false", "internal_error",
              "status_code_error", "internal", "unavailable", "invalid_argument", "not_found",
              "unauthenticated", "permission_denied", "failed_precondition", "unimplemented",
              "data_loss", "server_error", "bad_request"),
    "cancelled": ("canceled", "aborted", "abort", "client_disconnected", "disconnected", "499"),
    "timeout": ("timed_out", "timedout", "deadline_exceeded", "408", "504"),
    "rejected": ("throttled", "rate_limited", "ratelimited", "rate_limit_exceeded",
                 "resource_exhausted", "shed", "429"),
    "unfinished": ("incomplete", "in_progress", "running", "pending", "queued"),
}  # fmt: skip
_IN_OTHER_TONGUES = {
    "ok": ("erfolg", "erfolgreich", "abgeschlossen", "fertig", "beendet", "succes", "reussi", "reussie",
           "termine", "terminee", "exito", "exitoso", "correcto", "completado", "sucesso", "concluido",
           "成功", "完成", "已完成", "正常", "完了", "正常終了"),
    "error": ("fehler", "fehlgeschlagen", "fehlerhaft", "erreur", "echec", "echoue", "echouee", "fallo",
              "fallido", "erro", "falha", "falhou", "失败", "失敗", "错误", "異常", "异常", "エラー",
              "異常終了"),
    "cancelled": ("abgebrochen", "abbruch", "storniert", "annule", "annulee", "interrompu", "cancelado",
                  "cancelada", "abortado", "取消", "已取消", "中断", "中止", "キャンセル"),
    "timeout": ("zeituberschreitung", "zeitueberschreitung", "delai_depasse", "expire", "tiempo_agotado",
                "tempo_esgotado", "超时", "タイムアウト"),
    "rejected": ("abgelehnt", "rejete", "rejetee", "rechazado", "rejeitado", "拒绝", "已拒绝", "限流",
                 "拒否"),
    "unfinished": ("laufend", "en_cours", "en_curso", "em_andamento", "进行中", "処理中", "実行中"),
}  # fmt: skip
_OUTCOME_OF = {name: name for name in OUTCOMES} | {
    word: outcome
    for table in (_SYNONYMS, _IN_OTHER_TONGUES)
    for outcome, words in table.items()
    for word in words
}
_EVIDENT = {
    "cancelled": r"(^|_)(client|user|by)?_?(cancel|abort|disconnect)\w*",
    "timeout": r"(^|_)(timeout|timed_out|deadline)",
    "rejected": r"(^|_)(throttl\w*|rate_limit\w*|too_many\w*|reject\w*)",
    "error": r"(^|_)(error|failed|failure|exception)(_|$)",
}
"""What a word of several parts says where one part says it: `cancelled_by_client`."""
_DENIED = re.compile(r"(^|_)(no|not|non|never|without)_")
_HTTP_STATUS = r"^([1-5]\d\d)(\.0| [a-z ]+)?$"
"""A status, of a float column or with its reason: `200`, `200.0`, `429 too many requests`."""
_MARKS = re.compile("[\u0300-\u036f]")


def outcomes(text: pl.Series) -> Parsed:
    """Read how a request ended, with the usual synonyms of `workloadlab.trace.OUTCOMES`.

    Of HTTP statuses, 2xx and 3xx are ok, 429 is rejected, 408 and 504 timeout, 499 cancelled, others
    error.
    """
    lower = text.str.strip_chars().str.to_lowercase()
    values = lower.replace_strict(_OUTCOME_OF, default=None, return_dtype=pl.String)
    if values.null_count() > text.null_count():
        status = lower.str.extract(_HTTP_STATUS)
        named = status.replace_strict(_OUTCOME_OF, default=None, return_dtype=pl.String)
        good = pl.when(status.str.contains(r"^[1-3]")).then(pl.lit("ok")).otherwise(pl.lit("error"))
        known = pl.when(status.is_not_null()).then(good)
        values = pl.select(pl.coalesce(values, named, known)).to_series()
    if values.null_count() > text.null_count():
        left = lower.filter(values.is_null()).drop_nulls().unique()
        if left.len() <= MOST_WORDS:
            told = {word: outcome for word in left if (outcome := _evident(word))}
            more = lower.replace_strict(told, default=None, return_dtype=pl.String)
            values = pl.select(pl.coalesce(values, more)).to_series()
    return judged(text, values, UNKNOWN)


def unknown_words(text: pl.Series) -> list[str]:
    """Return the words of a column that say no outcome, in their order.

    Example:
        >>> unknown_words(pl.Series(["ok", "warm", "cancelled by client", "warm"]))
        ['warm']
    """
    odd = text.filter(outcomes(text).values.is_null() & ~missing(text))
    return odd.unique(maintain_order=True).to_list()


def _evident(word: str) -> str | None:
    """Return what a word says by one of its parts, or without its accents."""
    parted = unicodedata.normalize("NFKD", word.replace("\u00df", "ss"))
    plain = unicodedata.normalize("NFC", _MARKS.sub("", parted))
    plain = re.sub(r"[\s.-]+", "_", plain)
    if plain in _OUTCOME_OF:
        return _OUTCOME_OF[plain]
    if _DENIED.search(plain) or plain.count("_") > 3:
        return None
    found = [outcome for outcome, pattern in _EVIDENT.items() if re.search(pattern, plain)]
    return found[0] if found else None
