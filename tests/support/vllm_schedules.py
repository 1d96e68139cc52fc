"""Recorded schedules: what vLLM's own scheduler did with each scene, packed into one file of facts.

A scene's facts are its steps, each with its start, (request, tokens, tokens computed before) of all that
are in it and who was preempted while it was formed; and by request the moments of the first chunk, the
first and the last token, the cached tokens and the preemptions.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

__all__ = ["BY_REQUEST", "PACKED", "pack", "unpack"]

PACKED = Path(__file__).parents[1] / "parity" / "vllm" / "schedules.json.xz"
BY_REQUEST = ("scheduled_s", "first_token_s", "end_s", "cached_tokens", "preemptions")


def pack(recorded: dict[str, Any]) -> bytes:
    """Return the bytes of a recording, the same for the same facts."""
    text = json.dumps(recorded, separators=(",", ":"), sort_keys=True)
    return lzma.compress(text.encode(), format=lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)


def unpack() -> dict[str, Any]:
    """Return {"vllm": version, "scenes": the scenes, each with its "facts"}."""
    found: dict[str, Any] = json.loads(lzma.decompress(PACKED.read_bytes()))
    return found
