"""Every router that ships against decisions computed by hand, interpreted and compiled."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest

from workloadlab.routing import INSTANCE, REQUEST, SHELF, empty_memory
from workloadlab.routing.families.affinity import PRIME
from workloadlab.routing.memory import cells_by_name


def scene(count, **words):
    """Instances of 100 blocks of 16 tokens and 8 sequences at once, and a request of 100 tokens."""
    views, offer = np.zeros(count, INSTANCE), np.zeros(1, REQUEST)
    views["index"] = np.arange(count)
    views["fits"], views["kv_blocks"], views["block_size"], views["max_num_seqs"] = 1, 100, 16, 8
    for field, value in {
        "input_tokens": 100,
        "predicted_output_tokens": 10,
        "session": -1,
        "prefix_key": -1,
        "draw": 0.99,
        **words,
    }.items():
        (offer if field in REQUEST.names else views)[field] = value
    return offer, views


def score_of(call, offer, views, params):
    """Choose as the engines do for a score router."""
    scores = [call(offer[0], v, params) if v["fits"] else math.inf for v in views]
    return int(np.argmin(scores))


def remembered(policy, count, values):
    """Return a memory with values in its named places: one, a list, or some of them by position."""
    memory = empty_memory(count)
    cells = cells_by_name(memory, policy.memory or (), count)
    for name, value in values.items():
        if isinstance(value, dict):
            cells[name][list(value)] = list(value.values())
        else:
            cells[name][: np.size(value)] = value
    return memory


def decide(name, count, params=None, memory=None, **words):
    """Return the choice and the memory after it, the same interpreted and compiled."""
    policy = SHELF[name].with_params(**params or {})
    numbers = np.array(policy.params)
    taken = []
    for interpreted in (True, False):
        offer, views = scene(count, **words)
        cells = remembered(policy, count, memory or {})
        if interpreted:
            offer, views = offer.view(np.recarray), views.view(np.recarray)
        call = policy.interpreted if interpreted else policy.compiled
        if policy.kind == "score":
            taken.append((score_of(call, offer, views, numbers), cells))
        else:
            taken.append((int(call(offer[0], views, numbers, cells)), cells))
    assert taken[0][0] == taken[1][0]
    np.testing.assert_array_equal(taken[0][1], taken[1][1])
    return taken[1][0], cells_by_name(taken[1][1], policy.memory or (), count)


ENDED = {"ended": 2, "ended_input_tokens": 200, "ended_output_tokens": 20}
EXACT = {"prefill_token_s": 1, "decode_token_s": 5}
STEPS = {"constant_s": 0, "prefill_token_s": 1, "decode_seq_s": 1, "decode_context_s": 0}
EXACT_MIX = {"alpha": 0.5, "prefill_token_s": 1, "decode_seq_s": 0, "decode_context_s": 0}
SLO = {"constant_s": 0, "prefill_token_s": 0.01, "decode_seq_s": 0.01, "decode_context_s": 0,
       "ttft_slo_s": 2, "tpot_slo_s": 0.05}  # fmt: skip
DEFAULT = {"queue": 2, "kv": 2, "prefix": 3}

ONE_OPEN = {"open": 1, "connections": [1, 10]}
OF_TWO = {"error_tokens": [100, 0], "counted": [2, 0]}
TOO_LOW = {"error_tokens": [-99, 0], "counted": [1, 0]}
CUT = {"recut_s": 99, "end": [2048, 4096], "sent": [400, 0]}

LOADS = ("waiting", "running", "in_flight", "kv_blocks_used", "sent_since_report")

SCENES = {
    "round_robin": [
        (0, 3, {}),
        (2, 3, {"memory": {"turn": 2}}),
        (0, 1, {}),
        (1, 2, {"fits": [0, 1]}),
        (0, 3, {"fits": [1, 1, 0], "memory": {"turn": 2}}),
    ],
    "random": [
        (0, 4, {"draw": 0}),
        (1, 4, {"draw": 0.25}),
        (3, 4, {"draw": 0.9999}),
        (0, 1, {"draw": 0.7}),
        (2, 3, {"draw": 0.5, "fits": [1, 0, 1]}),
    ],
    "kubernetes_service": [
        (2, 3, {}),
        (1, 3, {"memory": ONE_OPEN, "now_s": 12}),
        (0, 3, {"memory": ONE_OPEN, "now_s": 15.5, "draw": 0}),  # closed
        (1, 3, {"memory": ONE_OPEN, "now_s": 15.5, "draw": 0, "params": {"keep_alive_s": 60}}),
        (0, 3, {"memory": ONE_OPEN, "now_s": 12, "draw": 0, "in_flight": [0, 1, 0]}),  # busy
        (
            2,
            3,
            {
                "memory": {"open": 2, "connections": [1, 10, 2, 9]},
                "now_s": 12,
                "draw": 0,
                "in_flight": [0, 1, 0],
            },
        ),
        (
            1,
            3,
            {
                "memory": {"open": 2, "connections": [1, 10, 1, 9]},
                "now_s": 12,
                "draw": 0,
                "in_flight": [0, 1, 0],
            },
        ),
        (0, 3, {"memory": ONE_OPEN, "now_s": 12, "draw": 0, "fits": [1, 0, 1]}),
        (0, 1, {"in_flight": [9]}),
    ],
    "least_requests": [
        (0, 2, {}),
        (1, 2, {"in_flight": [3, 2]}),
        (0, 3, {"in_flight": [2, 2, 2]}),
        (0, 1, {"in_flight": [9]}),
        (1, 2, {"in_flight": [0, 5], "fits": [0, 1]}),
        (0, 2, {"in_flight": [0, 1], "kv_blocks_used": [100, 0]}),
    ],
    "least_outstanding": [
        (0, 2, {}),
        (0, 2, {"waiting": [1, 0], "running": [1, 3]}),
        (1, 2, {"in_flight": [0, 9], "waiting": [2, 0], "running": [0, 1]}),
        (2, 3, {"waiting": [4, 4, 3]}),
        (0, 1, {"waiting": [9]}),
        (1, 2, {"waiting": [0, 5], "fits": [0, 1]}),
    ],
    "vllm_dp_v1": [
        (0, 2, {}),
        (0, 2, {"waiting": [1, 0], "running": [0, 4]}),
        (1, 2, {"waiting": [1, 0], "running": [0, 3]}),
        (1, 2, {"sent_since_report": [1, 0], "running": [0, 3]}),
        (1, 3, {"waiting": [0, 2, 0], "sent_since_report": [2, 0, 1], "running": [1, 0, 6]}),
        (0, 1, {"waiting": [3]}),
    ],
    "vllm_dp_v2": [
        (0, 2, {}),
        (1, 2, {"sent_since_report": [2, 0], "running": [1, 2]}),
        (1, 2, {"memory": {"start": 1}}),
        (1, 2, {"in_flight": [2, 1]}),
        (0, 2, {"waiting": [1, 0], "running": [1, 3]}),
        (
            1,
            2,
            {"waiting": [1, 0], "running": [1, 4], "kv_blocks_used": [100, 100]},
        ),  # 2 + 6 x 0.5 against 4
        (0, 2, {"waiting": [1, 0], "running": [1, 4], "kv_blocks_used": [50, 100]}),
        (1, 2, {"params": {"clients": 3}, "in_flight": [1, 0], "running": [1, 2]}),
        (0, 1, {"waiting": [5], "kv_blocks_used": [100]}),
    ],
    "power_of_two": [
        (1, 3, {"draw": 0, "in_flight": [5, 3, 9]}),  # draws 0 and 1
        (0, 3, {"draw": 0, "in_flight": [3, 3, 9]}),
        (2, 3, {"draw": 0.32, "in_flight": [5, 9, 1]}),  # draws 0 and 2
        (2, 3, {"draw": 0.99, "in_flight": [0, 9, 9]}),  # draws 2 and 1
        (1, 3, {"draw": 0, "kv_blocks_used": [50, 10, 0], "params": {"signal": 1}}),
        (0, 3, {"draw": 0, "queued_tokens": [5, 9, 0], "params": {"signal": 2}}),
        (2, 3, {"draw": 0, "in_flight": [5, 0, 3], "fits": [1, 0, 1]}),
        (0, 1, {"draw": 0.7, "in_flight": [4]}),
    ],
    "power_of_d": [
        (1, 3, {"in_flight": [3, 1, 2]}),
        (0, 3, {"in_flight": [1, 1, 2]}),
        (0, 2, {"draw": 0.3, "in_flight": [9, 0], "params": {"d": 1}}),
        (1, 2, {"draw": 0.7, "in_flight": [0, 9], "params": {"d": 1}}),
        (2, 3, {"kv_blocks_used": [50, 100, 49], "params": {"signal": 1}}),
        (
            1,
            2,
            {
                "queued_tokens": [9, 0],
                "output_tokens_left": [0, 8],
                "params": {"signal": 2, "d": 10},
            },
        ),
        (0, 1, {"in_flight": [4]}),
    ],
    "least_tokens": [
        (0, 2, {}),
        (1, 2, {"sent_tokens_since_report": [2, 0], "queued_tokens": [0, 1]}),
        (1, 2, {"queued_tokens": [500, 0], "output_tokens_left": [70, 569]}),
        (0, 2, {"queued_tokens": [500, 0], "output_tokens_left": [70, 571]}),
        (0, 2, {"queued_tokens": [5, 0], "output_tokens_left": [0, 5]}),
        (0, 1, {"queued_tokens": [1]}),
        (1, 2, {"in_flight": [0, 9], "queued_tokens": [1, 0]}),
    ],
    "least_kv": [
        (0, 2, {}),
        (1, 2, {"kv_blocks_used": [50, 49]}),
        (0, 2, {"kv_blocks_used": [100, 100]}),
        (0, 1, {"kv_blocks_used": [100]}),
        (1, 2, {"kv_blocks_used": [50, 60], "kv_blocks": [100, 200]}),
    ],
    "smg_least_load": [
        (0, 2, {}),
        (1, 2, {"queued_tokens": [2000, 0], "kv_blocks_used": [0, 50]}),  # 1 s against 0.15
        (0, 2, {"queued_tokens": [200, 0], "kv_blocks_used": [0, 50]}),  # 0.1 s
        (1, 2, {"sent_tokens_since_report": [400, 0], "kv_blocks_used": [0, 50]}),  # 0.2 s
        (1, 2, {"kv_blocks_used": [100, 0], "queued_tokens": [0, 200_000]}),  # 149.85 against 100
        (0, 2, {"kv_blocks_used": [100, 0], "queued_tokens": [0, 400_000]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "llumnix_freeness": [
        (0, 2, {}),
        (1, 2, {"sent_since_report": [2, 1], "running": [1, 1]}),
        (1, 2, {"sent_tokens_since_report": [16, 0]}),
        (0, 2, {"kv_blocks_used": [50, 40], "running": [5, 6]}),  # 10 steps each
        (1, 2, {"kv_blocks_used": [50, 40], "running": [5, 5]}),
        (1, 2, {"queued_tokens": [160, 0], "kv_blocks_used": [0, 9], "running": [1, 1]}),
        (1, 2, {"kv_blocks_used": [100, 100], "queued_tokens": [16, 0], "running": [4, 2]}),
        (0, 2, {"kv_blocks_used": [100, 100], "running": [4, 2]}),
        (1, 2, {"kv_blocks_used": [10, 0], "running": [0, 1]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "llumnix_minus": [
        (0, 2, {}),
        (1, 2, {"sent_since_report": [2, 1], "running": [1, 1]}),
        (0, 2, {"queued_tokens": [16_000, 0], "kv_blocks_used": [0, 1], "running": [1, 1]}),
        (0, 2, {"kv_blocks_used": [50, 40], "running": [5, 6]}),
        (1, 2, {"kv_blocks_used": [100, 99], "running": [1, 8]}),
        (1, 2, {"kv_blocks_used": [10, 0], "waiting": [0, 1]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "lmetric": [
        (0, 2, {}),
        (1, 2, {"sent_tokens_since_report": [1, 0]}),
        (1, 2, {"sent_since_report": [1, 0]}),
        (0, 2, {"queued_tokens": [100, 0], "running": [0, 1]}),  # 200 x 1 and 100 x 2
        (1, 2, {"queued_tokens": [101, 0], "running": [0, 1]}),
        (0, 2, {"cached_tokens": [96, 0], "running": [10, 0]}),  # 4 x 11
        (1, 2, {"cached_tokens": [100, 0], "waiting": [150, 0]}),  # at least one token: 151
        (0, 1, {"queued_tokens": [5], "kv_blocks_used": [100]}),
    ],
    "lmetric_no_queue": [
        (0, 2, {}),
        (0, 2, {"sent_tokens_since_report": [1, 0]}),
        (1, 2, {"sent_since_report": [1, 0]}),
        (0, 2, {"queued_tokens": [10_000, 0], "running": [0, 1]}),
        (1, 2, {"running": [1, 0]}),
        (0, 2, {"cached_tokens": [50, 0], "running": [1, 0]}),
        (1, 2, {"cached_tokens": [100, 0], "waiting": [150, 0]}),
        (0, 1, {"running": [5]}),
    ],
    "least_work_left": [
        (0, 2, {}),
        (
            0,
            2,
            {"params": EXACT, "queued_tokens": [500, 0], "output_tokens_left": [0, 100]},
        ),  # 600 each
        (1, 2, {"params": EXACT, "queued_tokens": [500, 0], "output_tokens_left": [0, 99]}),
        (1, 2, {"params": EXACT, "cached_tokens": [0, 64], "queued_tokens": [0, 60]}),
        (1, 2, {"sent_tokens_since_report": [1, 0]}),
        (
            1,
            2,
            {"params": EXACT, "memory": OF_TWO, "in_flight": [1, 0], "output_tokens_left": [0, 40]},
        ),
        (
            0,
            2,
            {"params": EXACT, "memory": OF_TWO, "in_flight": [1, 0], "output_tokens_left": [0, 50]},
        ),
        (
            0,
            2,
            {"params": EXACT, "memory": TOO_LOW, "in_flight": [1, 0], "output_tokens_left": [9, 1]},
        ),
        (0, 1, {"queued_tokens": [5]}),
    ],
    "decode_balancer": [
        (0, 2, {}),
        (1, 2, {"memory": {"assigned": [5, 4]}}),
        (0, 2, {"memory": {"assigned": [4, 4]}}),
        (0, 2, {"in_flight": [9, 0]}),
        (1, 2, {"memory": {"assigned": [0, 7]}, "fits": [0, 1]}),
        (0, 1, {}),
    ],
    "min_min": [
        (0, 2, {}),
        (1, 2, {"memory": {"ready_s": [10, 0]}}),
        (0, 2, {"memory": {"ready_s": [10, 0]}, "now_s": 20}),
        (1, 2, {"memory": {"ready_s": [30, 25]}, "now_s": 20}),
        (0, 1, {"memory": {"ready_s": [1e6]}}),
    ],
    "sita_e": [
        (0, 2, {"draw": 0.2}),
        (1, 2, {"draw": 0.7}),
        (0, 2, {"draw": 0.9, "memory": {"work": {20: 110}}}),  # 0.45 of the work lies below
        (1, 2, {"draw": 0.1, "memory": {"work": {5: 110}}}),
        (1, 3, {"draw": 0.5, "memory": {"work": {5: 110, 20: 110}}}),
        (1, 3, {"draw": 0.2, "fits": [0, 1, 1]}),
        (0, 1, {"draw": 0.9}),
    ],
    "dedicated_small_large": [
        (0, 2, {"predicted_output_tokens": 255}),
        (1, 2, {"predicted_output_tokens": 256}),
        (1, 3, {"in_flight": [1, 0, 0]}),
        (0, 3, {}),
        (2, 3, {"predicted_output_tokens": 999, "in_flight": [0, 0, 9]}),
        (0, 1, {"predicted_output_tokens": 999}),
        (2, 3, {"predicted_output_tokens": 999, "fits": [0, 1, 1]}),
    ],
    "dynamo_sita": [
        (1, 4, {"in_flight": [1, 0, 0, 0]}),
        (0, 4, {"input_tokens": 1023}),
        (2, 4, {"input_tokens": 1024, "in_flight": [0, 0, 9, 0]}),
        (2, 4, {"input_tokens": 8191}),
        (3, 4, {"input_tokens": 8192}),
        (0, 4, {"input_tokens": 8192, "cached_tokens": [0, 0, 8000, 0]}),
        (2, 4, {"kv_blocks_used": [90, 90, 0, 0], "in_flight": [5, 4, 3, 3]}),
        (0, 4, {"kv_blocks_used": [85, 90, 0, 0], "in_flight": [5, 4, 3, 3]}),
        (1, 2, {"input_tokens": 2000}),
        (0, 1, {"input_tokens": 9000, "kv_blocks_used": [100]}),
    ],
    "smg_bucket": [
        (0, 2, {"input_tokens": 512}),  # 2048 characters, on the boundary
        (1, 2, {"input_tokens": 513}),
        (1, 2, {"input_tokens": 5000}),
        (1, 2, {"memory": CUT}),
        (0, 2, {"memory": CUT, "params": {"spread": 400}}),
        (0, 1, {"input_tokens": 5000}),
        (1, 2, {"input_tokens": 5, "fits": [0, 1]}),
    ],
    "mixing_impact": [
        (0, 2, {}),
        (1, 2, {"sent_tokens_since_report": [1000, 0]}),
        (1, 2, {"sent_since_report": [1, 0]}),
        (1, 2, {"context_tokens": [1000, 0]}),
        (1, 2, {"running": [1, 0]}),
        (0, 2, {"running": [1000, 2000]}),  # both at the limit
        (1, 2, {"context_tokens": [1000, 0], "running": [0, 1]}),  # -0.435 against -0.466
        (0, 2, {"context_tokens": [1000, 0], "running": [0, 1], "params": {"alpha": 0}}),
        (0, 1, {"running": [9], "kv_blocks_used": [100]}),
    ],
    "mixing_seconds": [
        (0, 2, {}),
        (1, 2, {"params": {**EXACT_MIX}, "sent_tokens_since_report": [1, 0]}),
        (1, 2, {"params": {**EXACT_MIX}, "sent_since_report": [1, 0], "queued_tokens": [0, 50]}),
        (
            1,
            2,
            {"params": {**EXACT_MIX}, "running": [1, 0], "queued_tokens": [0, 50]},
        ),  # 100 against 75
        (0, 2, {"params": {**EXACT_MIX}, "running": [1, 0], "queued_tokens": [0, 100]}),
        (0, 2, {"params": {**EXACT_MIX}, "running": [1, 0], "queued_tokens": [0, 150]}),
        (0, 2, {"params": {**EXACT_MIX}, "cached_tokens": [96, 0], "running": [1, 0]}),
        (
            1,
            2,
            {"params": {**EXACT_MIX, "prefill_token_s": 0, "decode_seq_s": 1}, "running": [2, 1]},
        ),
        (0, 1, {"running": [9], "kv_blocks_used": [100]}),
    ],
    "weighted": [
        (0, 2, {}),
        (1, 2, {"draw": 0}),
        (1, 3, {"params": {"queue": 1}, "waiting": [2, 0, 1]}),
        (1, 2, {"params": {"running": 1}, "running": [2, 0]}),
        (1, 2, {"params": {"kv": 1}, "kv_blocks_used": [10, 0]}),
        (1, 2, {"params": {"prefix": 1}, "indexed_tokens": [0, 96]}),
        (0, 2, {"params": {"active": 1}, "in_flight": [3, 4]}),
        (1, 2, {"params": {"load": 1}, "waiting": [1, 0]}),
        (1, 2, {"params": {"load": 1}, "waiting": [128, 127]}),
        (1, 2, {"params": {"tokens": 1}, "queued_tokens": [100, 0]}),
        (1, 2, {"params": {"in_flight": 1}, "in_flight": [1, 0]}),
        (1, 2, {"params": {"work": 1}, "queued_tokens": [5, 0], "output_tokens_left": [0, 4]}),
        (0, 1, {"params": DEFAULT, "kv_blocks_used": [100]}),
    ],
    "llmd_default": [
        (1, 2, {"waiting": [0, 1], "indexed_tokens": [0, 96]}),  # 4 against 4.88
        (0, 2, {"waiting": [0, 1], "indexed_tokens": [0, 64]}),
        (0, 2, {"kv_blocks_used": [100, 0], "indexed_tokens": [96, 0]}),
        (0, 2, {}),
        (1, 2, {"draw": 0}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "llmd_precise": [
        (1, 2, {"waiting": [0, 1], "indexed_tokens": [0, 96]}),
        (0, 2, {"waiting": [0, 1], "indexed_tokens": [0, 40]}),
        (0, 2, {"waiting": [0, 1], "indexed_tokens": [0, 50]}),  # 2 each
        (1, 2, {"waiting": [0, 1], "indexed_tokens": [0, 50], "draw": 0.4}),
        (1, 2, {"kv_blocks_used": [100, 0]}),
        (0, 1, {"waiting": [9]}),
    ],
    "aibrix_multi": [
        (1, 2, {"in_flight": [0, 4], "queued_tokens": [0, 400], "indexed_tokens": [0, 96]}),
        (
            1,
            2,
            {"in_flight": [0, 4], "queued_tokens": [0, 400], "indexed_tokens": [0, 16]},
        ),  # 6 : 2
        (0, 2, {"in_flight": [0, 4], "queued_tokens": [0, 400], "indexed_tokens": [64, 64]}),
        (2, 3, {"in_flight": [0, 4, 4], "indexed_tokens": [0, 16, 64]}),  # 2, 2.5, 7
        (
            1,
            3,
            {
                "in_flight": [4, 2, 0],
                "output_tokens_left": [0, 0, 40],
                "indexed_tokens": [0, 16, 8],
            },
        ),  # 1, 7.5, 4
        (0, 2, {}),
        (1, 2, {"draw": 0}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "ps_loadaware": [
        (0, 2, {}),
        (0, 2, {"cached_tokens": [0, 50], "in_flight": [0, 2]}),
        (1, 2, {"cached_tokens": [0, 96]}),
        (1, 2, {"in_flight": [10, 12], "cached_tokens": [0, 32]}),  # 0.09 against 0.23
        (0, 2, {"in_flight": [10, 12], "cached_tokens": [0, 16]}),
        (1, 2, {"in_flight": [0, 99], "cached_tokens": [0, 16], "params": {"beta": 0}}),
        (0, 1, {"in_flight": [9]}),
    ],
    "sglang_cache_aware": [
        (0, 2, {}),
        (1, 2, {"draw": 0}),
        (1, 2, {"indexed_tokens": [0, 32], "in_flight": [0, 5]}),
        (0, 2, {"indexed_tokens": [0, 30], "in_flight": [0, 1]}),
        (0, 2, {"indexed_tokens": [0, 96], "in_flight": [0, 129]}),  # 64.5 above the mean
        (1, 2, {"indexed_tokens": [0, 96], "in_flight": [0, 128]}),
        (1, 2, {"indexed_tokens": [0, 96], "in_flight": [200, 330]}),  # 65 above 265, but not 1.5 x
        (1, 3, {"indexed_tokens": [0, 96, 0], "in_flight": [0, 5, 200]}),  # another one's load
        (1, 2, {"indexed_tokens": [96, 96], "in_flight": [3, 2]}),
        (0, 3, {"indexed_tokens": [96, 96, 64], "in_flight": [3, 3, 0]}),
        (1, 3, {"indexed_tokens": [96, 96, 64], "in_flight": [3, 3, 0], "draw": 0}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "vllm_router_cache_aware": [
        (1, 2, {"index_size_tokens": [10, 5], "in_flight": [0, 9]}),
        (0, 2, {"indexed_tokens": [0, 30]}),
        (1, 2, {"indexed_tokens": [0, 31], "index_size_tokens": [0, 9]}),
        (0, 2, {"indexed_tokens": [0, 96], "in_flight": [0, 65]}),
        (1, 2, {"indexed_tokens": [0, 96], "in_flight": [0, 64]}),
        (1, 2, {"indexed_tokens": [0, 96], "in_flight": [200, 300]}),  # not 1.5 times as many
        (0, 2, {}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "ray_prefix": [
        (0, 2, {"in_flight": [0, 11], "indexed_tokens": [0, 96], "params": {"imbalance": 10}}),
        (1, 2, {"in_flight": [0, 10], "indexed_tokens": [0, 96], "params": {"imbalance": 10}}),
        (1, 2, {"in_flight": [0, 999], "indexed_tokens": [0, 10]}),
        (1, 2, {"indexed_tokens": [0, 9], "index_size_tokens": [5, 0]}),
        (1, 2, {"in_flight": [3, 2]}),
        (1, 2, {"indexed_tokens": [50, 50], "in_flight": [3, 2]}),
        (2, 3, {"index_size_tokens": [5, 0, 0], "in_flight": [0, 4, 3]}),
        (0, 2, {}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "aibrix_prefix": [
        (0, 2, {"in_flight": [0, 9], "indexed_tokens": [0, 96]}),
        (1, 2, {"in_flight": [0, 8], "indexed_tokens": [0, 96]}),  # limit 4 + 5.66
        (0, 3, {"in_flight": [0, 0, 6], "indexed_tokens": [0, 0, 96]}),  # limit 2 + 3.46
        (1, 3, {"in_flight": [0, 0, 6], "indexed_tokens": [0, 0, 96], "draw": 0}),
        (0, 3, {"in_flight": [0, 6, 0], "indexed_tokens": [50, 96, 0]}),
        (0, 3, {"in_flight": [0, 0, 9], "indexed_tokens": [32, 0, 96], "draw": 0}),  # of the idle
        (1, 3, {"in_flight": [0, 0, 9], "indexed_tokens": [0, 0, 96], "draw": 0}),
        (1, 2, {"indexed_tokens": [96, 96], "in_flight": [2, 1]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "ps_prefixaware": [
        (0, 2, {}),
        (1, 2, {"draw": 0}),
        (1, 2, {"indexed_tokens": [0, 16], "in_flight": [0, 99]}),
        (2, 3, {"indexed_tokens": [16, 32, 32], "draw": 0}),
        (1, 3, {"indexed_tokens": [16, 32, 32]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "ps_kvaware": [
        (1, 2, {"in_flight": [1, 0]}),
        (1, 2, {"cached_tokens": [0, 16], "in_flight": [0, 99]}),
        (1, 2, {"input_tokens": 2016, "cached_tokens": [0, 16], "in_flight": [0, 9]}),
        (0, 2, {"input_tokens": 2017, "cached_tokens": [0, 16], "in_flight": [0, 9]}),
        (0, 2, {"cached_tokens": [32, 32], "in_flight": [9, 0]}),
        (1, 2, {"session": 5, "fits": [0, 1]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "dynamo_kv": [
        (0, 2, {"input_tokens": 160}),
        (1, 2, {"input_tokens": 160, "draw": 0}),
        (1, 2, {"input_tokens": 160, "indexed_tokens": [0, 80]}),
        (
            0,
            2,
            {"input_tokens": 160, "indexed_tokens": [0, 80], "kv_blocks_used": [0, 6]},
        ),  # 20 against 21
        (1, 2, {"input_tokens": 160, "queued_tokens": [160, 0]}),
        (1, 2, {"input_tokens": 160, "sent_tokens_since_report": [160, 0]}),
        (1, 2, {"kv_blocks_used": [100, 99]}),
        (
            0,
            2,
            {
                "input_tokens": 160,
                "indexed_tokens": [0, 80],
                "params": {"temperature": 1},
                "draw": 0.2,
            },
        ),  # 0.27 of 1.37
        (
            1,
            2,
            {
                "input_tokens": 160,
                "indexed_tokens": [0, 80],
                "params": {"temperature": 1},
                "draw": 0.3,
            },
        ),
        (
            1,
            2,
            {
                "input_tokens": 160,
                "indexed_tokens": [144, 0],
                "queued_tokens": [128, 0],
                "params": {"decay": 1},
            },
        ),  # 23 against 20
        (0, 2, {"input_tokens": 160, "indexed_tokens": [144, 0], "queued_tokens": [128, 0]}),  # 19
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "dynamo_kv_approx": [
        (0, 2, {"input_tokens": 160}),
        (1, 2, {"input_tokens": 160, "draw": 0}),
        (1, 2, {"input_tokens": 160, "indexed_tokens": [0, 80]}),
        (0, 2, {"input_tokens": 160, "cached_tokens": [0, 80]}),
        (
            0,
            2,
            {"input_tokens": 160, "indexed_tokens": [0, 80], "kv_blocks_used": [0, 6]},
        ),  # 20 against 21
        (0, 1, {"indexed_tokens": [96], "kv_blocks_used": [100]}),
    ],
    "preble_e2": [
        (0, 2, {}),
        (1, 2, {"cached_tokens": [0, 51], "memory": {"load_s": [0, 1]}}),
        (0, 2, {"cached_tokens": [0, 50], "memory": {"load_s": [0, 1]}}),
        (1, 2, {"cached_tokens": [0, 50]}),
        (1, 2, {"cached_tokens": [60, 60], "memory": {"load_s": [1, 0]}}),
        (1, 2, {"kv_blocks_used": [100, 0]}),
        (1, 2, {"memory": {"load_s": [1, 0.5]}, "now_s": 0}),
        (
            0,
            2,
            {"memory": {"load_s": [1, 0.5], "seen_s": [0, 180]}, "now_s": 180},
        ),  # 1 / e against 0.5
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "dualmap": [
        (0, 2, {"cached_tokens": [64, 0]}),
        (1, 2, {"cached_tokens": [0, 64], "queued_tokens": [0, 10_000]}),
        (0, 2, {"cached_tokens": [0, 64], "queued_tokens": [0, 20_000]}),  # 1.2 s
        (1, 2, {"queued_tokens": [5, 0]}),
        (1, 2, {"sent_tokens_since_report": [5, 0], "prefix_key": 3}),
        (0, 1, {"prefix_key": 3}),
        (1, 2, {"fits": [0, 1], "cached_tokens": [64, 0]}),
    ],
    "session_affinity": [
        (0, 2, {}),
        (1, 2, {"in_flight": [1, 0]}),
        (0, 1, {"session": 5}),
        (1, 2, {"session": 5, "fits": [0, 1]}),
        (0, 2, {"session": 5, "fits": [1, 0], "in_flight": [99, 0]}),
    ],
    "consistent_hash": [
        (0, 1, {"session": 5}),
        (0, 1, {"prefix_key": 5}),
        (0, 1, {"row": 5}),
        (1, 2, {"prefix_key": 5, "fits": [0, 1]}),
        (0, 2, {"session": 5, "fits": [1, 0], "in_flight": [99, 0]}),
    ],
    "ray_consistent_hash": [
        (0, 1, {"session": 5}),
        (0, 1, {"row": 5}),
        (1, 2, {"row": 5, "fits": [0, 1]}),
        (0, 2, {"session": 5, "fits": [1, 0], "in_flight": [99, 0]}),
        (0, 1, {"prefix_key": 5}),
    ],
    "prefix_hash": [
        (0, 2, {}),
        (1, 2, {"in_flight": [1, 0]}),
        (0, 1, {"prefix_key": 5, "in_flight": [99]}),
        (1, 2, {"prefix_key": 5, "fits": [0, 1], "in_flight": [0, 99]}),
        (0, 2, {"prefix_key": 5, "in_flight": [0, 99]}),
        (1, 2, {"prefix_key": 5, "in_flight": [99, 0]}),
    ],
    "chwbl": [
        (0, 1, {"prefix_key": 5, "in_flight": [9]}),
        (0, 2, {"prefix_key": 5, "in_flight": [0, 9]}),
        (1, 2, {"prefix_key": 5, "in_flight": [9, 0]}),
        (1, 2, {"prefix_key": 5, "fits": [0, 1], "in_flight": [0, 9]}),
        (1, 3, {"prefix_key": 5, "in_flight": [9, 0, 9]}),
        (1, 2, {"prefix_key": 5, "in_flight": [2, 0]}),
    ],
    "max_capacity": [
        (-1, 2, {"memory": {"next_s": 5}, "now_s": 1, "in_flight": [1, 1]}),
        (0, 2, {"memory": {"next_s": 5}, "now_s": 1}),
        (
            1,
            2,
            {"memory": {"next_s": 5}, "now_s": 5, "in_flight": [1, 1], "kv_blocks_used": [50, 40]},
        ),
        (1, 2, {"in_flight": [2, 1]}),
        (-1, 2, {"in_flight": [1, 1], "kv_blocks_used": [94, 94]}),  # 110 tokens take 7 blocks
        (0, 2, {"in_flight": [1, 1], "kv_blocks_used": [93, 93]}),
        (-1, 2, {"in_flight": [8, 8]}),
        (1, 2, {"in_flight": [1, 1], "queued_tokens": [160, 0], "kv_blocks_used": [0, 5]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "llmd_saturation": [
        (-1, 2, {"in_flight": [1, 1], "waiting": [5, 5]}),
        (1, 2, {"in_flight": [1, 1], "waiting": [5, 4]}),
        (-1, 2, {"in_flight": [1, 1], "waiting": [6, 4]}),  # the mean counts
        (-1, 2, {"in_flight": [1, 1], "kv_blocks_used": [80, 80]}),
        (1, 2, {"in_flight": [1, 1], "kv_blocks_used": [80, 79]}),
        (1, 2, {"in_flight": [1, 1], "report_age_s": 0.2, "indexed_tokens": [0, 96]}),
        (-1, 2, {"in_flight": [1, 1], "report_age_s": 0.21}),
        (0, 2, {"report_age_s": 9, "waiting": [0, 1]}),  # idle
        (1, 2, {"waiting": [0, 1], "indexed_tokens": [0, 96]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "hra": [
        (
            1,
            2,
            {"input_tokens": 160, "in_flight": [1, 1], "kv_blocks_used": [76, 70]},
        ),  # 4 blocks left against 10
        (-1, 2, {"input_tokens": 160, "in_flight": [1, 1], "kv_blocks_used": [76, 76]}),
        (0, 2, {"input_tokens": 160, "in_flight": [1, 1], "kv_blocks_used": [75, 75]}),
        (1, 2, {"in_flight": [2, 1], "running": [2, 1]}),
        (0, 2, {"kv_blocks_used": [100, 100]}),
        (
            1,
            2,
            {
                "input_tokens": 160,
                "in_flight": [1, 9],
                "running": [1, 9],
                "queued_tokens": [640, 0],
            },
        ),
        (0, 1, {"input_tokens": 9999}),
    ],
    "hold_until_fit": [
        (0, 2, {}),
        (0, 2, {"in_flight": [1, 1], "waiting": [0, 1]}),
        (1, 2, {"in_flight": [1, 1], "waiting": [1, 0]}),
        (-1, 2, {"in_flight": [1, 1], "waiting": [1, 1]}),
        (1, 2, {"in_flight": [8, 7]}),
        (-1, 2, {"in_flight": [8, 8]}),
        (-1, 2, {"in_flight": [1, 1], "kv_blocks_used": [94, 94]}),
        (0, 2, {"in_flight": [0, 1], "kv_blocks_used": [94, 94]}),
        (1, 2, {"in_flight": [1, 1], "sent_since_report": [1, 0]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "clairvoyant_least_work": [
        (0, 2, {}),
        (0, 2, {"params": EXACT, "queued_tokens": [500, 0], "output_tokens_left": [0, 100]}),
        (1, 2, {"params": EXACT, "queued_tokens": [500, 0], "output_tokens_left": [0, 99]}),
        (1, 2, {"params": EXACT, "cached_tokens": [0, 64], "queued_tokens": [0, 60]}),
        (1, 2, {"sent_tokens_since_report": [1, 0]}),
        (0, 1, {"output_tokens_left": [9]}),
    ],
    "predicted_latency": [
        (0, 2, {}),
        (0, 2, {"params": STEPS, "queued_tokens": [10, 0], "running": [0, 1]}),  # 120 each
        (1, 2, {"params": STEPS, "queued_tokens": [11, 0], "waiting": [0, 1]}),
        (0, 2, {"params": STEPS, "indexed_tokens": [64, 0], "running": [6, 0]}),  # 106 against 110
        (1, 2, {"params": STEPS, "sent_tokens_since_report": [1, 0]}),
        (0, 1, {"kv_blocks_used": [100]}),
    ],
    "aibrix_least_latency": [
        (1, 2, {}),
        (0, 2, {"ended": [0, 1], "ended_input_tokens": [0, 9], "prefill_total_s": [0, 1]}),
        (0, 2, {**ENDED, "prefill_total_s": [1, 2]}),
        (1, 2, {**ENDED, "prefill_total_s": [2, 1]}),
        (1, 2, {**ENDED, "prefill_total_s": [1, 2], "decode_total_s": [3, 1]}),
        (1, 2, {**ENDED, "ended_input_tokens": [100, 400], "prefill_total_s": [1, 3]}),
        (0, 2, {**ENDED, "prefill_total_s": [2, 1], "fits": [1, 0]}),
        (0, 1, {"queued_tokens": [5]}),
    ],
    "llmd_latency": [
        (0, 2, {}),
        (1, 2, {"params": SLO, "queued_tokens": [0, 50]}),
        (0, 2, {"params": {**SLO, "most": 1}, "queued_tokens": [0, 50]}),
        (0, 2, {"params": SLO, "queued_tokens": [0, 150]}),
        (0, 2, {"params": SLO, "running": [0, 5]}),
        (0, 2, {"params": SLO, "queued_tokens": [200, 300], "in_flight": [1, 1]}),
        (1, 2, {"params": SLO, "queued_tokens": [200, 300], "in_flight": [1, 0]}),
        (0, 1, {"params": SLO, "queued_tokens": [900]}),
    ],
    "polyserve": [
        (1, 2, {"params": SLO, "in_flight": [1, 2]}),
        (0, 2, {"params": SLO, "in_flight": [1, 2], "queued_tokens": [0, 150]}),
        (0, 2, {"params": SLO, "in_flight": [1, 2], "running": [0, 5]}),
        (1, 2, {"params": SLO, "queued_tokens": [300, 200]}),
        (0, 2, {"params": SLO, "in_flight": [2, 2]}),
        (0, 1, {"params": SLO, "queued_tokens": [900]}),
    ],
}


def test_every_router_has_at_least_five_scenes():
    assert set(SCENES) == set(SHELF)
    assert {name: len(rows) for name, rows in SCENES.items() if len(rows) < 5} == {}


@pytest.mark.parametrize("name", SHELF)
def test_decisions_by_hand(name):
    for number, (chosen, count, facts) in enumerate(SCENES[name]):
        assert decide(name, count, **facts)[0] == chosen, f"{name}, scene {number}: {facts}"


@pytest.mark.parametrize("name", SHELF)
def test_routers_never_choose_an_instance_that_cannot_serve(name):
    rng = np.random.default_rng(len(name))
    for _ in range(40):
        count = int(rng.integers(1, 6))
        fits = rng.integers(0, 2, count)
        fits[rng.integers(count)] = 1
        loads = {word: rng.integers(0, 12, count) for word in LOADS}
        chosen, _ = decide(
            name,
            count,
            fits=fits,
            draw=rng.random(),
            prefix_key=int(rng.integers(-1, 9)),
            now_s=rng.random(),
            input_tokens=int(rng.integers(1, 5000)),
            predicted_output_tokens=int(rng.integers(1, 5000)),
            row=int(rng.integers(1e6)),
            session=int(rng.integers(-1, 9)),
            queued_tokens=rng.integers(0, 999, count),
            cached_tokens=np.zeros(count),
            **loads,
        )
        assert chosen == -1 or fits[chosen] == 1
        assert chosen >= 0 or SHELF[name].family == "central queue"


@pytest.mark.parametrize("name", SHELF)
def test_routers_document_themselves(name):
    policy = SHELF[name]
    assert policy.formula
    assert policy.source
    assert policy.family != "user"
    assert "ties" in policy.function.__doc__.lower()
    products = (
        "smg|vLLM|production-stack|Ray Serve|AIBrix|llm-d|Dynamo|KubeAI|Vidur|Llumnix|LMetric"
    )
    if re.search(products, policy.source):  # code that changes, so the source says of when it is
        assert re.search(r"\b20\d\d\b", policy.source), policy.source


def rank(key, index):
    mixed = ((key + 1) * 48271 + (index + 1) * 1403580810) % PRIME
    mixed = mixed * mixed % PRIME
    mixed = (mixed + (index + 1) * 69621) % PRIME
    return mixed * mixed % PRIME


@pytest.mark.parametrize("name", ["session_affinity", "consistent_hash"])
def test_sessions_stay_where_the_hash_puts_them(name):
    for session in range(20):
        expected = max(range(5), key=lambda index, key=session: rank(key, index))
        assert decide(name, 5, session=session, in_flight=[9, 0, 3, 1, 0])[0] == expected


def test_an_instance_that_goes_moves_only_its_own_keys():
    for session in range(50):
        before = decide("consistent_hash", 5, session=session)[0]
        after = decide("consistent_hash", 5, session=session, fits=[1, 1, 0, 1, 1])[0]
        assert after == before or before == 2


def test_hashed_shares_are_even():
    policy = SHELF["consistent_hash"]
    offer, views = scene(8)
    counts = Counter()
    for key in range(16_000):
        offer["prefix_key"] = key
        counts[policy.compiled(offer[0], views, np.zeros(0), empty_memory(8))] += 1
    assert sorted(counts) == list(range(8))
    # binomial with p = 1/8: a standard deviation is 42
    assert max(abs(count - 2000) for count in counts.values()) < 4 * 42


def test_bounded_loads_go_on_to_the_keys_next_instance():
    order = sorted(range(4), key=lambda index: -rank(7, index))
    loads = [0, 0, 0, 0]
    assert decide("chwbl", 4, prefix_key=7, in_flight=loads)[0] == order[0]
    loads[order[0]] = 1  # 2 are over 1.25 x 2 / 4, and so is 1 on any other: back home
    assert decide("chwbl", 4, prefix_key=7, in_flight=loads)[0] == order[0]
    loads[order[0]] = 3  # 4 are over 1.25 x 4 / 4
    assert decide("chwbl", 4, prefix_key=7, in_flight=loads)[0] == order[1]
    loads[order[1]] = 3  # over 1.25 x 7 / 4
    assert decide("chwbl", 4, prefix_key=7, in_flight=loads)[0] == order[2]


def test_a_hashed_prefix_spills_above_both_margins():
    home, *others = sorted(range(4), key=lambda index: -rank(7, index))
    loads = [0, 0, 0, 0]
    loads[home] = 13  # mean 3.5
    assert decide("prefix_hash", 4, prefix_key=7, in_flight=loads)[0] == home
    loads[home] = 14  # mean 3.75
    assert decide("prefix_hash", 4, prefix_key=7, in_flight=loads)[0] == min(others)
    loads = [100] * 4
    loads[home] = 130  # mean 107.75
    assert decide("prefix_hash", 4, prefix_key=7, in_flight=loads)[0] == home


def test_ties_broken_at_random_are_even():
    for name in (
        "weighted",
        "aibrix_multi",
        "llmd_saturation",
        "dynamo_kv",
        "aibrix_prefix",
        "sglang_cache_aware",
        "ps_prefixaware",
    ):
        chosen = Counter(decide(name, 4, draw=(k + 0.5) / 400)[0] for k in range(400))
        assert max(abs(chosen[i] - 100) for i in range(4)) <= 1


def test_power_of_d_draws_every_subset_equally():
    policy = SHELF["power_of_d"].with_params(d=2)
    offer, views = scene(5, in_flight=range(5))
    draws = (np.arange(20_000) + 0.5) / 20_000
    chosen = Counter()
    for draw in draws:
        offer["draw"] = draw
        chosen[policy.compiled(offer[0], views, np.array(policy.params), empty_memory(5))] += 1
    assert [chosen[i] / 20_000 for i in range(5)] == pytest.approx(
        [0.4, 0.3, 0.2, 0.1, 0], abs=1e-3
    )


def test_lmetric_is_the_log_linear_router_with_equal_weights():
    rng = np.random.default_rng(5)
    for _ in range(200):
        q, r, w = (rng.integers(0, 999, 6) for _ in range(3))
        score = np.log(np.maximum(1, q + 100)) + np.log(r + w + 1)
        ordered = np.sort(score)
        if ordered[1] - ordered[0] > 1e-9:
            assert decide("lmetric", 6, queued_tokens=q, running=r, waiting=w)[0] == score.argmin()


def test_memories_after_a_decision():
    _, memory = decide("least_work_left", 2, params={"bias": 2})
    assert memory["error_tokens"].tolist() == [10, 0]  # twice the prediction of 10
    assert memory["counted"].tolist() == [1, 0]
    _, memory = decide("least_work_left", 2, params={"noise": 1}, draw=0.5)
    assert memory["error_tokens"].tolist() == [0, 0]
    _, memory = decide("min_min", 2, input_tokens=1000, predicted_output_tokens=300, now_s=3)
    assert memory["ready_s"].tolist() == pytest.approx([3 + 0.32 + 0.035 * 2048, 0])
    _, memory = decide("decode_balancer", 2, output_tokens=7)
    assert memory["assigned"].tolist() == [7, 0]
    _, memory = decide("max_capacity", 2, now_s=4)
    assert memory["next_s"] == 4.02


def test_bucket_ranges_are_cut_again_to_equal_characters():
    window = {
        "recut_s": 5,
        "end": [2048, 4096],
        "sent": [9000, 1000],
        "chars": {14: 6000, 20: 4000},
    }
    chosen, memory = decide("smg_bucket", 2, input_tokens=1, now_s=6, memory=window)
    assert chosen == 0
    assert memory["recut_s"] == 11
    # the bin that reaches half of the 10,000 characters
    assert memory["end"].tolist() == [pytest.approx(2**7.5), 4096]
    assert memory["sent"].tolist() == [4, 0]


@pytest.mark.parametrize("share", [0.5, 0.75])
def test_sita_e_gives_each_instance_equal_work(share):
    policy = SHELF["sita_e"]
    rng = np.random.default_rng(2)
    sizes = np.where(rng.random(20_000) < share, 100, 10_000)
    offer, views = scene(4, predicted_output_tokens=0)
    memory, work = empty_memory(4), np.zeros(4)
    for row, size in enumerate(sizes):
        offer["input_tokens"], offer["draw"] = size, rng.random()
        chosen = policy.compiled(offer[0], views, np.array(policy.params), memory)
        if row > 2000:
            work[chosen] += size
    assert work / work.sum() == pytest.approx([0.25] * 4, abs=0.02)
