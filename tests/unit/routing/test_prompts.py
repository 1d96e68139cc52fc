"""What a prompt means to an instance, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workloadlab.routing import INSTANCE, REQUEST, prompts

REQUEST_FACTS = {"input_tokens": 100, "predicted_output_tokens": 13}
INSTANCE_FACTS = {
    "cached_tokens": 32,
    "indexed_tokens": 48,
    "queued_tokens": 1000,
    "sent_tokens_since_report": 200,
    "context_tokens": 5000,
    "block_size": 16,
}


def record(dtype, facts):
    made = np.zeros(1, dtype).view(np.recarray)
    for name, value in facts.items():
        made[name] = value
    return made[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uncached_tokens", 68),
        ("unindexed_tokens", 52),
        ("cached_share", 0.32),
        ("indexed_share", 0.48),
        ("prompts_with", 1300),
        ("context_with", 5100),
        ("blocks_of_prompt", 7),
        ("blocks_of_request", 8),
    ],
)
def test_of_a_request_and_an_instance(name, expected):
    asked, instance = record(REQUEST, REQUEST_FACTS), record(INSTANCE, INSTANCE_FACTS)
    assert getattr(prompts, name)(asked, instance) == expected


def test_prompts_ahead_are_those_reported_and_those_sent_since():
    assert prompts.prompts_ahead(record(INSTANCE, INSTANCE_FACTS)) == 1200


@pytest.mark.parametrize(("tokens", "blocks"), [(0, 0), (1, 1), (16, 1), (17, 2)])
def test_the_last_block_may_be_filled_in_part(tokens, blocks):
    assert prompts.blocks_of(tokens, 16) == blocks


def test_a_part_of_a_prompt_and_what_it_leaves():
    asked = record(REQUEST, REQUEST_FACTS)
    assert prompts.share_of_prompt(asked, 0.3) == 0.3 * 100
    assert prompts.rest_of_prompt(asked, 30) == 70
