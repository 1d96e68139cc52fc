"""Small scenes of every kind, drawn by a fixed seed: a pool, and requests with moments and lengths."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["KINDS", "PER_KIND", "scenes"]

PER_KIND = 12

KINDS = (
    "plain",
    "roomy",
    "tokens",
    "priority",
    "knobs watermark",
    "long",
    "prefix",
    "prefix outputs",
    "prefix outputs priority tight long",
    "prefix private",
    "prefix private priority watermark long knobs",
    "default",
    "default tight",
    "default tight priority",
    "async",
    "async tokens",
    "async default tight",
    "async prefix long tokens",
    "async prefix outputs priority tight long tokens",
    "async priority watermark knobs long",
    "async eos",
    "async eos tight",
    "async eos default tight priority",
    "async eos prefix outputs priority tight tokens",
    "active",
    "interval",
    "async interval default tokens",
    "length",
    "async eos length default tight",
    "async eos active interval prefix outputs priority tight",
)
"""Each is any mix of these words.

roomy, tight: many KV blocks, or few. tokens: steps take time per token. knobs: prompts need not fit as
a whole. long: a threshold of prompt tokens. prefix: prompts share named blocks; with outputs those of
outputs have names that others share too, with private names of their own. default: blocks are cached
and have no names. async, eos, active, interval, length: asynchronous scheduling, ends that are read from
the token, `max_num_active_seqs`, `prefill_schedule_interval`, `max_model_len`.
"""


def scenes() -> list[dict[str, Any]]:
    """Return all scenes, the same every time."""
    return [_scene(kind, number) for kind in KINDS for number in range(PER_KIND)]


def _scene(kind: str, number: int) -> dict[str, Any]:
    draw, words = random.Random(f"{kind} {number}"), kind.split()
    size, seqs = draw.choice([4, 8]), draw.choice([1, 2, 4, 8])
    blocks = draw.choice([8, 12, 16, 24] if "tight" in words else [12, 16, 24, 40, 60])
    requests = _requests(draw, words, size, blocks)
    pool = {
        "kv_blocks": 2000 if "roomy" in words else blocks,
        "block_size": size,
        "max_num_seqs": seqs,
        "max_num_batched_tokens": draw.choice([n for n in (8, 16, 32, 64, 128) if n >= seqs]),
        "queue_order": "priority" if "priority" in words else "fcfs",
        "reserve_full_isl": "knobs" not in words or draw.random() < 0.5,
        "watermark": draw.choice([0.05, 0.1, 0.2]) if "watermark" in words else 0.0,
        "long_prefill_token_threshold": draw.choice([3, 5, 20]) if "long" in words else 0,
        "prefix_caching": "prefix" in words or "default" in words,
        "async_scheduling": "async" in words,
        "ends": "eos" if "eos" in words else "max_tokens",
        "max_num_active_seqs": min(draw.choice([1, 2, 5]), seqs) if "active" in words else None,
        "prefill_schedule_interval": draw.choice([2, 3, 5]) if "interval" in words else 1,
        "max_model_len": draw.choice([20, 40, 80]) if "length" in words else None,
    }
    per_token_s = 0.0078125 if "tokens" in words else 0.0
    return {"kind": kind, "pool": pool, "per_token_s": per_token_s, "requests": requests}


def _requests(
    draw: random.Random, words: list[str], size: int, blocks: int
) -> list[dict[str, Any]]:
    """Draw what fits into the blocks alone; arrivals are often at one moment, or at ends of steps."""
    requests, arrival_s, most = [], 0.0, size * blocks
    rate, whole = draw.choice([0.2, 1, 5, 50]), draw.random() < 0.3
    names: dict[tuple[Any, ...], int] = {}
    for number in range(draw.randrange(3, 14)):
        arrival_s += draw.choice([0.0, draw.expovariate(rate)])
        prompt = draw.randint(1, min(most - 4, draw.choice([10, 40, 100, 300])))
        if "prefix" in words and draw.random() < 0.4:
            prompt = max(size, prompt // size * size)
        output = draw.randint(1, max(1, min(most - prompt, draw.choice([1, 5, 20, 50]))))
        requests.append({
            "arrival_s": float(round(arrival_s)) if whole else round(arrival_s, 2),
            "prompt": prompt,
            "output": output,
            "priority": draw.randrange(3) if "priority" in words else 0,
            "ids": _ids(draw, words, names, number, prompt // size, (prompt + output - 1) // size),
        })  # fmt: skip
    return requests


def _ids(
    draw: random.Random, words: list[str], names: dict[Any, int], number: int, own: int, every: int
) -> list[int]:
    """Name blocks by their path in a tree that the requests of a scene share."""
    if "prefix" not in words:
        return []
    shared, path, ids = draw.choice([0, 1, 2, 3, 5, 8, 20]), (), []
    for depth in range(every if "outputs" in words or "private" in words else own):
        alone = depth >= shared or (depth >= own and "private" in words)
        path = (*path, ("own", number) if alone else draw.choice([0, 0, 1]))
        ids.append(names.setdefault(path, len(names)))
    return ids
