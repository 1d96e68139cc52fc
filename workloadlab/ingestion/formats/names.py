"""What the name of a key says: its plain form, its last words, a unit of time."""

from __future__ import annotations

import re

__all__ = ["VALUE_TYPE", "bare", "forms", "plain", "unit_in_name"]

VALUE_TYPE = re.compile(r"(\.(\$(date|number\w+|oid)|[NS]))+$")
"""What MongoDB and DynamoDB write behind a key: the type of its value."""

_UNIT_WORDS = {
    word: unit
    for unit, words in {
        "ns": ("ns", "nano", "nanos", "nanosecond", "nanoseconds"),
        "us": ("us", "usec", "micro", "micros", "microsecond", "microseconds"),
        "ms": ("ms", "msec", "milli", "millis", "millisecond", "milliseconds"),
        "s": ("s", "sec", "secs", "second", "seconds"),
    }.items()
    for word in words
}


_HEADER = re.compile(
    r"^((downstream|origin|upstream|request|response|req|resp|sent|http|header|headers)_)*x_"
)
"""How gateways write a header of a request or an answer: `downstream_X-Prompt-Tokens`."""


_USAGE = re.compile(r"^(?!gen_ai)(\w+_)?usage_(?=\w)")
"""What warehouses write before the keys of a flattened usage."""

_NUMBER_OF = re.compile(r"^(n|nr|no|num|number_of|count_of)_(of_)?")

_ZONE = re.compile(r"_(utc|gmt|local_time|localtime|local)$")

_RATE = re.compile(r"(tok(en)?s|per)_[a-z]+$")
"""`Output tokens/s` counts no tokens."""

_STAMP = re.compile(r"_(ts|timestamp|datetime)$")


def unit_in_name(name: str) -> str | None:
    """Return the time unit that a column's name ends in, if it does.

    Example:
        >>> unit_in_name("ttft_ms"), unit_in_name("arrivalTimeNs"), unit_in_name("latency")
        ('ms', 'ns', None)
    """
    _, _, last = plain(name).rpartition("_")
    return _UNIT_WORDS.get(last)


def plain(name: str) -> str:
    """Write a name in snake case: `startTime`, `Request tokens` and `usage.in` lose their style."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", snake.lower()).strip("_")


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
    whole = {plain(".".join(parts[start:])) for start in range(len(parts))}
    zoneless = {_ZONE.sub("", name) for name in whole}
    timed = {name for name in zoneless if unit_in_name(name) and not _RATE.search(name)}
    bare = {name.rpartition("_")[0].removesuffix("_in") for name in timed}
    names = whole | zoneless | bare
    names |= {_HEADER.sub("", name) for name in names}
    names |= {_STAMP.sub("_time", name) for name in names}
    names |= {_NUMBER_OF.sub("", name) for name in names if "tok" in name}
    names |= {_USAGE.sub("", name) for name in names}
    return names | {name.removeprefix(start) for name in names for start in ("llm_", "ai_")}
