"""Write the two sample logs of this folder: chat.csv and agent.jsonl.

Both are invented: no value comes from a recorded log. Running this again gives the same bytes:

    python traces/make_samples.py [FOLDER]

chat.csv has the columns and the timestamp style of the Azure LLM inference trace (7 decimals, no zone,
CRLF, no final newline). Arrivals come in bursts (coefficient of variation above 1) around a rate that
swings over half an hour; prompts are a mixture of short and document-like ones; answers are cut off
at 1,000 tokens.

agent.jsonl has the keys of a Mooncake trace, with `session_id` and `delay` (ms since the session's
previous answer ended). Agents of three kinds share their kind's system prompt; each turn's prompt is
the one before, the answer to it and a tool's result, in blocks of 512 tokens whose last is partial.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import NormalDist

import numpy as np

CHAT_ROWS = 12_000
CHAT_START = datetime(2026, 3, 2, 9, 0, 0)
CHAT_RATE = 1.7
CHAT_CAP = 1_000
AGENT_ROWS = 1_500
AGENT_START_GAP_S = 14.0
AGENT_LIMIT = 60_000
BLOCK = 512
SYSTEM_PROMPTS = (2_300, 3_900, 6_200)
TICKS_PER_S = 10_000_000

NORMAL = NormalDist()


class Dice:
    """Random numbers from uniform ones alone, so that no library's sampler can change the files."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed).random

    def uniform(self) -> float:
        """Draw from the open interval (0, 1)."""
        return min(max(float(self._random()), 1e-12), 1 - 1e-12)

    def normal(self) -> float:
        """Draw a standard normal number."""
        return NORMAL.inv_cdf(self.uniform())

    def lognormal(self, median: float, sigma: float) -> float:
        """Draw a lognormal number."""
        return median * math.exp(sigma * self.normal())

    def exponential(self, mean: float) -> float:
        """Draw an exponential number."""
        return -mean * math.log(self.uniform())


def tokens(value: float, low: int, high: int) -> int:
    """Round and clip a token count."""
    return min(max(round(value), low), high)


def chat(dice: Dice) -> str:
    """Return chat.csv: gaps are squared normals, whose coefficient of variation is 1.41."""
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    ticks = 0
    for _ in range(CHAT_ROWS):
        swing = 1 + 0.6 * math.sin(2 * math.pi * ticks / TICKS_PER_S / 1800)
        ticks += 1 + round(dice.normal() ** 2 / (CHAT_RATE * swing) * TICKS_PER_S)
        document = dice.uniform() < 0.28
        prompt = dice.lognormal(2_100, 0.55) if document else dice.lognormal(190, 1.0)
        answer = dice.lognormal(120 if document else 230, 0.9)
        second, fraction = divmod(ticks, TICKS_PER_S)
        clock = CHAT_START + timedelta(seconds=second)
        lines.append(
            f"{clock:%Y-%m-%d %H:%M:%S}.{fraction:07d},"
            f"{tokens(prompt, 3, 8_000)},{tokens(answer, 1, CHAT_CAP)}"
        )
    return "\r\n".join(lines)


@dataclass
class Context:
    """A growing prompt and the ids of its full blocks."""

    fresh: count[int]
    length: int
    full: list[int] = field(default_factory=list)

    def grow(self, more: int) -> None:
        """Append tokens; every block that they fill gets an id."""
        self.length += more
        self.full += [next(self.fresh) for _ in range(self.length // BLOCK - len(self.full))]

    def blocks(self) -> list[int]:
        """Return the ids of the prompt; a partial block is new every time it is longer."""
        return [*self.full, next(self.fresh)] if self.length % BLOCK else list(self.full)


def agent(dice: Dice) -> str:
    """Return agent.jsonl, sorted by time, blocks numbered in order of first appearance."""
    fresh = count()
    systems = [[next(fresh) for _ in range(length // BLOCK)] for length in SYSTEM_PROMPTS]
    rows: list[dict[str, object]] = []
    start_ms = 0
    for session in count():
        if len(rows) >= AGENT_ROWS:
            break
        kind = int(dice.uniform() * len(systems))
        context = Context(fresh, SYSTEM_PROMPTS[kind], list(systems[kind]))
        context.grow(tokens(dice.lognormal(350, 0.9), 10, 6_000))
        clock_ms, delay_ms = start_ms, None
        while True:
            answer = tokens(dice.lognormal(140, 0.8), 5, 2_000)
            row: dict[str, object] = {
                "timestamp": clock_ms,
                "input_length": context.length,
                "output_length": answer,
                "hash_ids": context.blocks(),
                "session_id": f"agent-{session:03d}",
            }
            if delay_ms is not None:
                row["delay"] = delay_ms
            rows.append(row)
            context.grow(answer + tokens(dice.lognormal(650, 1.1), 15, 12_000))
            if dice.uniform() < 0.07 or context.length > AGENT_LIMIT:
                break
            delay_ms = round(1000 * dice.lognormal(2.6, 1.0))
            clock_ms += 150 + 22 * answer + delay_ms
        start_ms += round(1000 * dice.exponential(AGENT_START_GAP_S))
    rows = sorted(rows[:AGENT_ROWS], key=lambda row: row["timestamp"])  # type: ignore[arg-type, return-value]
    number: dict[int, int] = {}
    for row in rows:
        row["hash_ids"] = [number.setdefault(block, len(number)) for block in row["hash_ids"]]  # type: ignore[attr-defined]
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(folder: Path) -> None:
    """Write both files."""
    (folder / "chat.csv").write_bytes(chat(Dice(1)).encode())
    (folder / "agent.jsonl").write_bytes(agent(Dice(2)).encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
