"""What the name of a key says: its plain form, its last words, a unit of time."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["RATE", "VALUE_TYPE", "bare", "doubtful_unit", "forms", "plain", "unit_in_name"]

VALUE_TYPE = re.compile(r"(\.(\$(date|number\w+|oid)|[NS]))+$")
"""What MongoDB and DynamoDB write behind a key: the type of its value."""

_UNIT_WORDS = {
    word: unit
    for unit, words in {
        "ns": ("ns", "nano", "nanos", "nanosecond", "nanoseconds"),
        "us": ("us", "usec", "micro", "micros", "microsecond", "microseconds"),
        "ms": ("ms", "msec", "milli", "millis", "millisecond", "milliseconds"),
        "s": ("s", "sec", "secs", "second", "seconds"),
        "min": ("mins", "minute", "minutes"),
        "h": ("h", "hr", "hrs", "hour", "hours"),
    }.items()
    for word in words
}
_OTHER_WORDS = {
    word: unit
    for unit, words in {
        "us": ("\u03bcs", "微秒", "mikrosekunden", "microsecondes", "microsegundos"),
        "ms": ("millis", "millisek", "millisekunden", "millisecondes", "milisegundos", "milissegundos",
               "毫秒", "ミリ秒"),
        "s": ("sek", "sekunde", "sekunden", "seconde", "secondes", "seg", "segundo", "segundos",
              "秒"),
        "min": ("minuten", "minutos", "分钟", "分鐘"),
        "h": ("std", "stunden", "heures", "horas", "小时", "時間"),
    }.items()
    for word in words
}  # fmt: skip
"""Units in German, French, Spanish, Portuguese, Chinese and Japanese."""
_UNIT_WORDS |= _OTHER_WORDS
_IN_BRACKETS = {"min": "min", "分": "min", "時": "h"}
"""Words that are units between brackets only: elsewhere `min` may be the least."""
_LEAST_OR_MINUTES = {"min", "m"}
_BRACKET = re.compile(r"\s*[(\[]\s*(?:in )?([^\W\d]{1,16})\.?\s*[)\]]\s*$", re.IGNORECASE)
_NO_UNITS = {
    "utc", "gmt", "local", "total", "sum", "e2e", "all", "client", "server", "gateway", "streaming",
    "stream", "llm", "model", "wall", "request", "first", "last", "token", "tokens",
    "tok", "toks", "count", "bytes", "chars", "usd", "eur", "percent",
}  # fmt: skip
"""Words between brackets that say something else than a unit."""
_MARKS = re.compile("[\u0300-\u036f]")


_HEADER = re.compile(
    r"^((downstream|origin|upstream|request|response|req|resp|sent|http|header|headers)_)*x_"
)
"""How gateways write a header of a request or an answer: `downstream_X-Prompt-Tokens`."""


_USAGE = re.compile(r"^(?!gen_ai)(\w+_)?usage_(?=\w)")
"""What warehouses write before the keys of a flattened usage."""

_NUMBER_OF = re.compile(r"^(n|nr|no|num|number_of|count_of)_(of_)?")

_ZONE = re.compile(r"_(utc|gmt|local_time|localtime|local)$")

RATE = re.compile(r"(tok(en)?s|per)_[a-z]+$")
"""`Output tokens/s` counts no tokens."""

_STAMP = re.compile(r"_(ts|timestamp|datetime)$")


def unit_in_name(name: str) -> str | None:
    """Return the time unit that a column's name ends in, if it does.

    Example:
        >>> unit_in_name("ttft_ms"), unit_in_name("arrivalTimeNs"), unit_in_name("latency")
        ('ms', 'ns', None)
        >>> unit_in_name("Duration (min)"), unit_in_name("duration_min"), unit_in_name("Dauer (Sek.)")
        ('min', None, 's')
    """
    if word := _bracketed(name):
        return _IN_BRACKETS.get(word) or _UNIT_WORDS.get(word)
    _, _, last = plain(name).rpartition("_")
    glued = (
        unit for word, unit in _OTHER_WORDS.items() if word[0] > "\u3000" and last.endswith(word)
    )
    return _UNIT_WORDS.get(last) or next(glued, None)


def doubtful_unit(name: str) -> str | None:
    """Return the word with which a name says a unit that is not known, or `min` without brackets.

    Example:
        >>> doubtful_unit("Duration (ticks)"), doubtful_unit("duration_min"), doubtful_unit("wait_ms")
        ('ticks', 'min', None)
    """
    if unit_in_name(name):
        return None
    if word := _bracketed(name):
        return None if word in _NO_UNITS else word
    last = plain(name).rpartition("_")[2]
    return last if last in _LEAST_OR_MINUTES else None


def _bracketed(name: str) -> str:
    """Return the one word that stands between brackets at the end of a name."""
    found = _BRACKET.search(unicodedata.normalize("NFKC", name))
    return plain(found[1]) if found else ""


def _without_unit(name: str) -> str:
    """Leave out a known unit between brackets at the end of a name."""
    known = _bracketed(name) and unit_in_name(name)
    return _BRACKET.sub("", unicodedata.normalize("NFKC", name)) if known else name


def plain(name: str) -> str:
    """Write a name in snake case: `startTime`, `Request tokens` and `usage.in` lose their style.

    Example:
        >>> plain("startTime"), plain("Durée totale"), plain("耗时 (ms)")
        ('start_time', 'duree_totale', '耗时_ms')
    """
    if not name.isascii():
        parted = unicodedata.normalize("NFKD", name.replace("\u00df", "ss"))
        name = unicodedata.normalize("NFC", _MARKS.sub("", parted))
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", snake.lower()).strip("_")


def bare(key: str) -> str:
    """Return the plain name of a key alone, without what it lies in.

    Example:
        >>> bare("a.inputTokens"), bare("usage_input_tokens"), bare("gen_ai_usage_input_tokens")
        ('input_tokens', 'input_tokens', 'gen_ai_usage_input_tokens')
    """
    return _USAGE.sub("", plain(VALUE_TYPE.sub("", key).rpartition(".")[2]))


def forms(key: str) -> set[str]:
    """Return the plain names of a key: its last parts, with or without unit, zone, `llm`, `ai`.

    Example:
        >>> sorted(forms("latency_ms")), sorted(forms("Output tokens/s"))
        (['latency', 'latency_ms'], ['output_tokens_s'])
    """
    parts = VALUE_TYPE.sub("", key).split(".")
    spelled = [".".join(parts[start:]) for start in range(len(parts))]
    whole = {plain(name) for each in spelled for name in (each, _without_unit(each))}
    zoneless = {_ZONE.sub("", name) for name in whole}
    timed = {name for name in zoneless if unit_in_name(name) and not RATE.search(name)}
    bare = {name.rpartition("_")[0].removesuffix("_in") for name in timed}
    names = whole | zoneless | bare
    names |= {_HEADER.sub("", name) for name in names}
    names |= {_STAMP.sub("_time", name) for name in names}
    names |= {_NUMBER_OF.sub("", name) for name in names if "tok" in name}
    names |= {_USAGE.sub("", name) for name in names}
    return names | {name.removeprefix(start) for name in names for start in ("llm_", "ai_")}
