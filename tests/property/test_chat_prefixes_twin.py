"""Block ids of chats against the prompts themselves, written out token by token."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.errors import UsageError
from workloadlab.trace import Trace, with_chat_prefixes

requests = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 40)), min_size=1, max_size=12
)


def blocks_by_hand(rows, shared_tokens, block_size):
    """The full blocks of every prompt, each as the tuple of all tokens up to its end."""
    prompts = []
    for row, (session, length) in enumerate(rows):
        owner = f"row {row}" if session is None else session
        tokens = [("all" if k < shared_tokens else owner, k) for k in range(length)]
        ends = range(block_size, length + 1, block_size)
        prompts.append([tuple(tokens[:end]) for end in ends])
    return prompts


@given(requests, st.integers(0, 30), st.integers(1, 9))
def test_equal_ids_mean_equal_prefixes(rows, shared_tokens, block_size):
    frame = pl.DataFrame(
        {"arrival_ns": range(len(rows)), "input_tokens": [n for _, n in rows],
         "session_id": pl.Series([session for session, _ in rows], dtype=pl.String)}
    )  # fmt: skip
    named = with_chat_prefixes(
        Trace.from_frame(frame), shared_tokens=shared_tokens, block_size=block_size
    )
    ids = named.read("block_ids")["block_ids"].to_list()
    by_hand = blocks_by_hand(rows, shared_tokens, block_size)
    assert [len(blocks) for blocks in ids] == [len(blocks) for blocks in by_hand]
    pairs = {
        pair
        for blocks, prefixes in zip(ids, by_hand, strict=True)
        for pair in zip(blocks, prefixes, strict=True)
    }
    assert len({block for block, _ in pairs}) == len({prefix for _, prefix in pairs}) == len(pairs)


def test_a_trace_without_sessions_shares_the_system_prompt_only():
    frame = pl.DataFrame({"arrival_ns": [0, 1], "input_tokens": [4, 4]})
    named = with_chat_prefixes(Trace.from_frame(frame), shared_tokens=2, block_size=2)
    first, second = named.read("block_ids")["block_ids"].to_list()
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert named.supports("prefix")
    assert named.provenance.options == {"shared_tokens": 2, "block_size": 2}


@pytest.mark.parametrize(("shared_tokens", "block_size"), [(-1, 16), (0, 0), (0, 2**16)])
def test_numbers_that_name_no_blocks_are_refused(shared_tokens, block_size):
    log = Trace.from_frame(pl.DataFrame({"arrival_ns": [0], "input_tokens": [4]}))
    with pytest.raises(UsageError, match="name no blocks"):
        with_chat_prefixes(log, shared_tokens=shared_tokens, block_size=block_size)
