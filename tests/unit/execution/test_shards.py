"""Shards share work out equally, whole, and the same everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.errors import UsageError
from workloadlab.execution import Shard


@given(st.sets(st.text("abcdef", min_size=1), max_size=60), st.integers(1, 9))
def test_every_piece_is_in_one_shard(names, of):
    shares = [Shard(number, of).share(names) for number in range(1, of + 1)]
    assert sorted(name for share in shares for name in share) == sorted(names)
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


@given(st.permutations([f"run{k}" for k in range(20)]))
def test_the_order_of_the_names_does_not_matter(names):
    assert Shard(2, 3).share(names) == Shard(2, 3).share(sorted(names))


@pytest.mark.parametrize(
    "words", ["", "3", "0/4", "5/4", "a/b", "1/0", "-1/2", "1/1000000", "1.5/2"]
)
def test_what_is_no_shard_is_refused(words):
    with pytest.raises(UsageError, match="shard"):
        Shard.parse(words)
