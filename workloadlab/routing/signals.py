"""What a router sees: one request record and an array of instance records.

Fields are plain numbers, so the same record types serve compiled and interpreted routers.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "DECODING_FIELDS",
    "INSTANCE",
    "INSTANCE_FIELDS",
    "ORACLE_FIELDS",
    "REQUEST",
    "REQUEST_FIELDS",
]

REQUEST_FIELDS: dict[str, tuple[str, str]] = {
    "row": ("i8", "index of the request in the trace, from 0"),
    "arrival_s": ("f8", "arrival, seconds from the start of the trace"),
    "now_s": ("f8", "time of this decision; later than arrival_s if the router deferred before"),
    "input_tokens": ("i8", "prompt length"),
    "predicted_output_tokens": (
        "i8",
        "the trace's prediction; without one, the mean of what finished; the truth for an oracle",
    ),
    "output_tokens": ("i8", 'true output length; 0 unless the router declares needs={"oracle"}'),
    "prefix_key": (
        "i8",
        "id of the prompt's first whole blocks, 256 tokens or one block; -1 if none or not declared",
    ),
    "session": ("i8", "dense number of the request's session, -1 without one"),
    "draw": ("f8", "a fresh uniform random number in [0, 1) for this decision"),
}

INSTANCE_FIELDS: dict[str, tuple[str, str]] = {
    "index": ("i8", "position in the cluster, what a choosing router returns"),
    "in_flight": ("i8", "requests sent here and not finished; counted by the router, never stale"),
    "running": ("i8", "requests in the engine's batch"),
    "waiting": ("i8", "requests in the engine's queue"),
    "queued_tokens": ("i8", "prompt tokens (or tokens to recompute) not yet prefilled"),
    "output_tokens_left": (
        "i8",
        "predicted minus generated output tokens, summed over the requests sent here",
    ),
    "context_tokens": ("i8", "tokens held in the KV cache by running requests"),
    "kv_blocks_used": ("i8", "KV blocks in use"),
    "kv_blocks": ("i8", "KV blocks of the instance"),
    "block_size": ("i8", "tokens per KV block"),
    "max_num_seqs": ("i8", "most requests that may run together"),
    "cached_tokens": (
        "i8",
        'prompt tokens of this request resident here; 0 if "prefix" is not declared, or an index is',
    ),
    "indexed_tokens": (
        "i8",
        "prompt tokens of this request in the router's own index; cached_tokens if it has none",
    ),
    "index_size_tokens": ("i8", "tokens that the router's index holds for the instance"),
    "sent_since_report": (
        "i8",
        "requests sent here since the engine last reported; 0 if signals are never stale",
    ),
    "sent_tokens_since_report": ("i8", "their prompt tokens"),
    "fits": ("i8", "1 if the request can ever fit here, 0 if it would be rejected"),
}

DECODING_FIELDS = frozenset(
    {"output_tokens_left", "context_tokens", "kv_blocks_used", "cached_tokens"}
)
"""Fields of an instance that change while it only decodes; the others stand until a sequence ends."""

ORACLE_FIELDS = frozenset({"output_tokens"})

REQUEST = np.dtype([(name, code) for name, (code, _) in REQUEST_FIELDS.items()], align=True)
INSTANCE = np.dtype([(name, code) for name, (code, _) in INSTANCE_FIELDS.items()], align=True)
