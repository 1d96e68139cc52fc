"""Damage for files: flipped bits, and JSON in which one value is gone or is nonsense."""

from __future__ import annotations

import copy
import json
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any

from workloadlab.errors import WorkloadlabError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Verdict", "attack", "flipped", "mutated", "mutated_lines"]

NONSENSE: list[Any] = [
    None, True, -1, 0, 0.5, 1e308, 10**400, -(2**63), 2**64, float("nan"), float("inf"),
    "", "x", "9" * 5000, [], [None], [[]], {}, {"a": 1},
]  # fmt: skip


WORDS = (
    "", "-1", "0", "0.5", "1e400", "nan", "inf", "true", '""', '"x"', "[]", "[[]]", "[1, 'a']", "{}",
    "{a = 1}", "9" * 400, "9" * 5000, "-9223372036854775809", "1979-05-27", '"' + "y" * 5000 + '"',
    "'", "[", "= =",
)  # fmt: skip
"""Values of a TOML file, most of them none that it may have."""


def flipped(data: bytes, bit: int) -> bytes:
    """Return bytes with one bit flipped.

    Example:
        >>> flipped(b"a", 1)
        b'c'
    """
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def mutated(facts: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """Return a JSON object in which one value is gone, too much, or nonsense."""
    facts = copy.deepcopy(facts)
    *around, last = draw.choice([place for place in _places(facts) if place])
    inside: Any = facts
    for key in around:
        inside = inside[key]
    way = draw.random()
    if way < 0.25 and isinstance(inside, dict):
        del inside[last]
    elif way < 0.4 and isinstance(inside, list):
        inside.append(draw.choice(NONSENSE))
    else:
        inside[last] = draw.choice(NONSENSE)
    return facts


def mutated_lines(text: str, draw: random.Random) -> str:
    """Return the text of a TOML file in which one line is gone, there twice, or says something else."""
    lines = text.splitlines()
    place, way = draw.randrange(len(lines)), draw.random()
    key, equals, _ = lines[place].partition("=")
    if way < 0.2:
        del lines[place]
    elif way < 0.3:
        lines.insert(place, lines[place])
    elif way < 0.4:
        lines[place] = f"{draw.choice(['x', 'pool', '[pool', '[[pool]]', '[event]'])}{lines[place]}"
    else:
        lines[place] = f"{key}{equals or '='} {draw.choice(WORDS)}"
    return "\n".join(lines)


class Verdict(Counter[str]):
    """How often a loader accepted, refused in a sentence, or failed: by place of the failure."""

    @property
    def uncaught(self) -> dict[str, int]:
        """The failures."""
        return {what: n for what, n in self.items() if what not in ("accepted", "refused")}


def attack(path: Path, use: Callable[[Path], object], mutants: int, draw: random.Random) -> Verdict:
    """Open mutants of a JSON file, without its digest, or of a TOML file; what `use` does must be said.

    Args:
        path: a whole file.
        use: opens a path and shows what is in it.
        mutants: how many.
        draw: chooses.
    """
    whole, verdict = path.read_text(), Verdict()
    facts = json.loads(whole) if path.suffix == ".json" else {}
    facts.pop("sha256", None)
    try:
        for _ in range(mutants):
            path.write_text(
                json.dumps(mutated(facts, draw)) if facts else mutated_lines(whole, draw)
            )
            verdict[_outcome(path, use)] += 1
    finally:
        path.write_text(whole)
    return verdict


def _outcome(path: Path, use: Callable[[Path], object]) -> str:
    try:
        use(path)
    except WorkloadlabError:
        return "refused"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "workloadlab" in frame.filename]
        return f"{type(error).__name__} {ours[-1].filename}:{ours[-1].lineno} {str(error)[:80]}"
    return "accepted"


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where values stand; of a long list, the first few."""
    yield place
    inner = value.items() if isinstance(value, dict) else ()
    inner = list(enumerate(value))[:5] if isinstance(value, list) else inner
    for key, item in inner:
        yield from _places(item, (*place, key))
