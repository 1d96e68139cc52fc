"""Where a router's own prefix index and the caches of the engines part ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.traces import prompts_of

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.routing import SHELF

A, B, C = [1, 2, 3, 4], [10, 11, 12, 13], [20, 21, 22, 23]


def cluster(**options):
    settings = {"kv_blocks": 5, "block_size": 16, "prefix_caching": True, **options}
    return wl.Cluster.uniform(2, wl.LatencyModel.linear(constant_s=0.01), **settings)


@wl.router(needs={"prefix"})
def told(request, instance):
    """Follow the match; without one, rows take turns."""
    return (request.row + instance.index) % 2 - instance.indexed_tokens


guessing = replace(told, name="guessing", index=wl.PrefixIndex())


def replayed(policy, *chains, **options):
    """Return where the prompts went and what they found there."""
    runs = wl.replay(prompts_of(*chains), cluster(**options), routers=[policy])
    return runs.outcomes().read("instance_id", "cached_tokens").rows()


def test_while_the_cache_holds_the_prefix_both_know_it():
    for policy in (told, guessing):
        assert replayed(policy, A, A) == [("pool/0", 0), ("pool/0", 64)]


def test_after_an_eviction_only_the_router_that_is_told_knows():
    # A and then B pass through pool/0, whose 5 blocks hold one of them; row 3 would go to pool/1
    assert replayed(told, A, C, B, A)[3] == ("pool/1", 0)
    assert replayed(guessing, A, C, B, A)[3] == ("pool/0", 0)


def test_an_index_forgets_by_its_own_limits():
    for limits in ({"capacity_tokens": 64}, {"ttl_s": 30.0}):
        policy = replace(guessing, index=wl.PrefixIndex(**limits))
        assert replayed(policy, A, C, B, A, kv_blocks=100)[3] == ("pool/1", 0), limits
    policy = replace(guessing, index=wl.PrefixIndex(capacity_tokens=128, ttl_s=30.1))
    assert replayed(policy, A, C, B, A, kv_blocks=100)[3] == ("pool/0", 64)


def test_an_index_may_hold_as_much_as_the_engine_does():
    policy = replace(guessing, index=wl.PrefixIndex(capacity_tokens="engine"))
    prompts = A, C, B, C, [30, 31, 32, 33], A
    assert replayed(policy, *prompts, kv_blocks=5)[5] == ("pool/1", 0)
    assert replayed(policy, *prompts, kv_blocks=13)[5] == ("pool/0", 64)


def test_an_instance_without_a_cache_is_believed_to_have_one():
    pools = [
        replace(cluster().pools[0], instances=1, prefix_caching=caching, name=name)
        for caching, name in ((False, "plain"), (True, "caching"))
    ]
    for policy, chosen in ((told, "caching/0"), (guessing, "plain/0")):
        runs = wl.replay(prompts_of(A, A), wl.Cluster(pools=pools), routers=[policy])
        assert runs.outcomes().read("instance_id")["instance_id"].to_list()[1] == chosen


def test_the_outcome_says_what_the_router_kept():
    runs = wl.replay(prompts_of(A), cluster(), routers=[told, SHELF["sglang_cache_aware"]])
    kept = [runs.outcomes(router=info.router).provenance.options["index"] for info in runs.infos]
    assert kept[0] is None
    assert kept[1] == {
        "kind": "tree", "capacity_tokens": 2**24, "ttl_s": None, "sweep_s": 120, "shared": True
    }  # fmt: skip


def test_an_index_needs_prefixes_and_hides_the_truth():
    with pytest.raises(UsageError, match="does not declare prefix"):
        wl.router(name="x", index=wl.PrefixIndex())(lambda request, instance: 0.0)
    with pytest.raises(UsageError, match=r"cached_tokens[\s\S]*read instance.indexed_tokens"):
        wl.router(name="x", needs={"prefix"}, index=wl.PrefixIndex())(
            lambda request, instance: instance.cached_tokens
        )


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("sglang_cache_aware", wl.PrefixIndex("tree", 16_777_216, sweep_s=120, shared=True)),
        ("vllm_router_cache_aware", wl.PrefixIndex("tree", 16_777_216, sweep_s=120)),
        ("ray_prefix", wl.PrefixIndex("tree")),
        ("ps_prefixaware", wl.PrefixIndex()),
        ("aibrix_prefix", wl.PrefixIndex("table", 6_400_000, ttl_s=1200, shared=True)),
        ("aibrix_multi", SHELF["aibrix_prefix"].index),
        ("llmd_default", wl.PrefixIndex("table", "engine")),
        ("llmd_saturation", SHELF["llmd_default"].index),
        ("llmd_latency", SHELF["llmd_default"].index),
        ("dynamo_kv_approx", wl.PrefixIndex("table", 16_777_216, ttl_s=120, shared=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_limits_of_production(name, index):
    assert SHELF[name].index == index


def test_the_other_routers_are_told():
    own = {name for name, policy in SHELF.items() if policy.index is not None}
    assert own == {
        "sglang_cache_aware", "vllm_router_cache_aware", "ray_prefix", "aibrix_prefix", "aibrix_multi",
        "llmd_default", "llmd_latency", "llmd_saturation", "dynamo_kv_approx", "ps_prefixaware",
    }  # fmt: skip
