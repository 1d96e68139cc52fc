"""Each switch of a pool and of the router's side, on scenes worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.clusters import SYNCHRONOUS
from support.workloads import requests

from workloadlab.errors import UsageError
from workloadlab.latency import LatencyModel
from workloadlab.routing import SHELF, router
from workloadlab.simulation import Cluster
from workloadlab.simulation.engine.run import replay_lane
from workloadlab.simulation.reference.lane import replay_by_steps

SECOND = LatencyModel.linear(constant_s=1.0)


def both(workload, cluster, policy="round_robin", seed=0):
    policy = SHELF[policy] if isinstance(policy, str) else policy
    fast = replay_lane(workload, cluster, policy, seed)
    slow = replay_by_steps(workload, cluster, policy, seed)
    for name in ("first_token_s", "end_s", "dispatch_s"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), atol=1e-9)
    assert fast.instance.tolist() == slow.instance.tolist()
    return fast


def some(instances, model, **pool):
    return Cluster.uniform(instances, model, step_overhead_s=0.0, **SYNCHRONOUS | pool)


def one(**pool):
    return some(1, SECOND, **pool)


def test_chunked_prefill_lets_decodes_go_on_beside_a_prompt():
    load = requests([0, 0.5], [1, 4], [5, 1])
    lane = both(load, one(max_num_batched_tokens=3))
    # Two tokens of the prompt fit beside the decode in each step.
    assert lane.end_s.tolist() == [5.0, 3.0]


def test_prefill_first_stops_the_decodes_for_a_prompt():
    load = requests([0, 0.5], [1, 4], [3, 1])
    lane = both(load, one(batching="prefill_first", max_num_batched_tokens=3))
    # The second prompt, longer than the budget, runs alone in the step from 1 to 2.
    assert lane.first_token_s.tolist() == [1.0, 2.0]
    assert lane.end_s.tolist() == [4.0, 2.0]


def test_static_batching_admits_nobody_before_the_batch_has_ended():
    load = requests([0, 0, 0.5], [2, 2, 2], [2, 4, 1])
    lane = both(load, one(batching="static", max_num_seqs=2))
    assert lane.end_s.tolist() == [2.0, 4.0, 5.0]
    assert lane.scheduled_s.tolist() == [0.0, 0.0, 4.0]


def test_long_prompts_take_no_more_than_their_threshold_of_a_step():
    load = requests([0, 0], [6, 4], [1, 1])
    lane = both(load, one(max_num_batched_tokens=5, long_prefill_token_threshold=2))
    # Steps: 2 + 2, 2 + 2 (the second ends), 2.
    assert lane.first_token_s.tolist() == [3.0, 2.0]


ORDER = {
    "fcfs": [1, 2, 3],
    "priority": [3, 1, 2],
    "least_work_left": [2, 3, 1],
    "bin_packing": [3, 1, 2],
}


@pytest.mark.parametrize("order", ORDER)
def test_the_queue_is_served_in_its_order(order):
    load = requests(
        [0, 0.1, 0.2, 0.3], [1, 5, 2, 9], [2, 2, 2, 2], predicted_tokens=[2, 30, 5, 9],
        priority=np.array([0, 1, 1, 0]),
    )  # fmt: skip
    lane = both(load, one(max_num_seqs=1, queue_order=order))
    assert (np.argsort(lane.end_s[1:]) + 1).tolist() == ORDER[order]


def test_bin_packing_passes_over_a_prompt_that_does_not_fit():
    load = requests([0, 0.1, 0.2], [8, 12, 4], [4, 1, 1])
    fcfs, packed = (
        both(load, one(kv_blocks=4, block_size=4, queue_order=order))
        for order in ("fcfs", "bin_packing")
    )
    assert fcfs.scheduled_s[2] == 4.0  # behind the long prompt, which waits for blocks
    assert packed.scheduled_s[2] == 1.0


def test_preemption_by_priority_hits_the_least_important():
    load = requests([0, 0, 0], [4, 4, 4], [9, 9, 9], priority=np.array([2, 0, 1]))
    lane = both(load, one(kv_blocks=6, block_size=4, queue_order="priority"))
    assert lane.preemptions[0] > 0
    assert lane.preemptions[1] == 0
    assert lane.end_s[1] == 9.0


def test_ranks_that_step_together_wait_for_the_slowest():
    model = LatencyModel.linear(constant_s=1.0, prefill_token_s=1.0)
    load = requests([0, 0], [1, 5], [3, 1])
    alone, together = (both(load, some(2, model, step_together=word)) for word in (False, True))
    assert alone.end_s.tolist() == [4.0, 6.0]
    assert together.end_s.tolist() == [8.0, 6.0]
    assert together.steps == 6  # the idle rank takes part


def test_a_full_instance_keeps_requests_in_the_routers_queue():
    load = requests([0, 0.1, 0.2], [1, 1, 1], [2, 2, 2])
    lane = both(load, one(max_in_flight=1))
    assert lane.dispatch_s.tolist() == [0.0, 2.0, 4.0]


def test_a_router_queue_that_is_full_rejects_the_newest():
    load = requests([0, 0.1, 0.2], [1, 1, 1], [2, 2, 2])
    lane = both(load, one(max_in_flight=1, max_router_queue=1))
    assert lane.instance.tolist() == [0, 0, -1]


def test_a_router_that_takes_its_time_decides_on_one_after_the_other():
    load = requests([0, 0, 5], [1, 1, 1], [1, 1, 1])
    cluster = one(decision_overhead_s=0.25)
    assert both(load, cluster).dispatch_s.tolist() == [0.25, 0.5, 5.25]


@pytest.mark.parametrize("interval", [2, 3, 4])
@pytest.mark.parametrize("kv_blocks", range(9, 15))
def test_a_prompt_goes_on_when_the_decode_that_held_it_is_preempted(kv_blocks, interval):
    """The short prompt decodes beside the long one until no block is left, and is the last admitted."""
    load = requests([0, 0], [8, 2], [1, 8])
    lane = both(
        load,
        one(
            kv_blocks=kv_blocks, block_size=1, max_num_seqs=2, max_num_batched_tokens=8,
            long_prefill_token_threshold=1, prefill_schedule_interval=interval, reserve_full_isl=False,
        ),
    )  # fmt: skip
    assert np.isfinite(lane.end_s).all()
    assert lane.preemptions[0] == 0
    if (kv_blocks, interval) == (9, 3):  # prompts 1, 2; decodes 3, 4 beside 5; 6 has no block left
        assert lane.preemptions[1] == 2


def test_ranks_that_step_together_hold_prompts_by_a_count_that_they_share():
    load = requests(
        [0, 0.5, 1.5, 1.6, 20.5, 20.6, 20.7], [2] * 7, [9, 9, 2, 2, 9, 9, 2]
    )  # by turns to ranks 0 and 1
    lane = both(load, some(2, SECOND, step_together=True, prefill_schedule_interval=3))
    # Both ranks count from second 0, when rank 1 had nothing: step 3 begins at 3. A rank that counted
    # for itself, as one alone does, would let the fourth wait until 4.
    assert lane.first_token_s[:4].tolist() == [1.0, 2.0, 4.0, 4.0]
    # All was served at 11, so the count begins anew at 20.5, and its step 3 at 23.5.
    assert lane.first_token_s[4:].tolist() == [21.5, 22.5, 24.5]
    alone = both(load, some(2, SECOND, prefill_schedule_interval=3))
    assert alone.first_token_s[:4].tolist() == [1.0, 1.5, 4.0, 4.5]


def test_signals_are_seen_as_old_as_their_interval_and_delay():
    seen = []

    @router(kind="choose")
    def noted(request, instances, params, memory):
        seen.append((request.now_s, int(instances[0].running), int(instances[0].sent_since_report)))
        return 0

    load = requests([0, 0.9, 1.1, 1.9, 3.0], [1] * 5, [9] * 5)
    cluster = one(signal_interval_s=1.0, signal_delay_s=0.5)
    replay_by_steps(load, cluster, noted, 0)
    # The snapshot of second 1 arrives at 1.5, when one more was sent; that of 2 at 2.5.
    assert seen == [(0.0, 0, 0), (0.9, 0, 1), (1.1, 0, 2), (1.9, 1, 1), (3.0, 2, 0)]


def test_noise_keeps_the_mean_and_depends_on_the_seed_alone():
    n = 2000
    load = requests(np.zeros(n), [1] * n, [1] * n)
    cluster = one(max_num_seqs=1, step_noise=0.3)
    ends = [replay_lane(load, cluster, SHELF["round_robin"], seed).end_s for seed in (0, 0, 1)]
    assert ends[0].tolist() == ends[1].tolist() != ends[2].tolist()
    steps = np.diff(np.sort(ends[0]), prepend=0.0)
    assert steps.mean() == pytest.approx(1.0, abs=4 * 0.3 / np.sqrt(n))
    assert steps.std() == pytest.approx(0.3, rel=0.1)


def test_uneven_contexts_take_as_long_as_the_chunks_that_attention_cuts_them_into():
    model = LatencyModel.linear(constant_s=1.0, decode_context_s=0.01)
    load = requests([0, 0], [10, 30], [2, 3])
    even, cut, whole = (both(load, some(1, model, attention_slots=slots)) for slots in (None, 4, 2))
    # The prompts take a step; then both decode with 40 tokens of context, then one with 31.
    assert even.end_s.tolist() == pytest.approx([2.4, 3.71])
    # Two of four slots: 40 x 4/3. One of four: 31 x 4/3.5.
    assert cut.end_s == pytest.approx([2 + 0.4 * 4 / 3, 3 + 0.4 * 4 / 3 + 0.31 * 4 / 3.5])
    # No slot to spare: 40 + 2 x 30. One of two: 31 x 2/1.5.
    assert whole.end_s == pytest.approx([3.0, 4 + 0.31 * 2 / 1.5])


def test_asynchronous_scheduling_lets_a_newcomer_wait_for_the_next_batch():
    load = requests([0, 0.5], [1, 1], [5, 1])
    now, late = (both(load, one(async_scheduling=word)) for word in (False, True))
    assert now.first_token_s.tolist() == [1.0, 2.0]
    assert late.first_token_s.tolist() == [1.0, 3.0]


def test_whoever_comes_between_two_steps_waits_behind_an_earlier_newcomer_no_longer_than_that_one():
    load = requests([0, 0.5, 1.0], [1, 1, 1], [9, 1, 1])
    lane = both(load, one(async_scheduling=True))
    assert lane.first_token_s.tolist() == [1.0, 3.0, 3.0]


def test_a_request_that_fills_all_blocks_ends_where_none_is_left_to_decode_in_vain():
    load = requests([0, 5], [1, 1], [1, 1])
    pool = {"kv_blocks": 1, "block_size": 1, "async_scheduling": True, "ends": "eos"}
    lane = both(load, one(step_noise=0.1, prefix_caching=False, **pool))
    assert lane.preemptions.tolist() == [1, 1]  # as in vLLM, which learns of the end too late
    assert lane.end_s == pytest.approx([1.0, 6.0], abs=0.5)


def test_a_prompt_that_lost_its_blocks_before_its_turn_is_not_one_of_the_last_batch():
    load = requests([2.5, 3.5, 4.5], [3, 7, 2], [6, 6, 4])
    pool = {"kv_blocks": 18, "block_size": 1, "max_num_batched_tokens": 5, "prefix_caching": False}
    lane = both(load, one(prefill_schedule_interval=2, **pool))
    assert lane.first_token_s.tolist() == [3.5, 6.5, 9.5]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("batching", "dynamic", "use chunked, prefill_first, static"),
        ("queue_order", "lifo", "use fcfs, priority, least_work_left, bin_packing"),
        ("long_prefill_token_threshold", -1, "at least 0"),
        ("max_in_flight", 0, "at least 1"),
        ("attention_slots", 0, "1 or more"),
        ("step_noise", 1.5, "such as 0.05"),
        ("step_together", 1, "use true or false"),
        ("signal_delay_s", 1.0, "say how often the engines report"),
        ("max_router_queue", -1, "0 or more"),
        ("decision_overhead_s", -0.1, "use seconds"),
    ],
)
def test_values_that_no_engine_runs_with_are_refused(key, value, said):
    with pytest.raises(UsageError, match=key) as caught:
        Cluster.uniform(1, SECOND, **{key: value})
    assert said in str(caught.value)


def test_the_host_takes_time_for_each_sequence():
    """Two prompts take a step of 2 x 0.25 s more, then both decode, then one does."""
    load = requests([0, 0], [10, 30], [2, 3])
    model = LatencyModel.linear(constant_s=1.0)
    cluster = Cluster.uniform(
        1, model, step_overhead_s=0.0, sequence_overhead_s=0.25, async_scheduling=False
    )
    assert both(load, cluster).end_s.tolist() == pytest.approx([3.0, 4.25])
    beside = Cluster.uniform(
        1, model, step_overhead_s=0.0, sequence_overhead_s=0.75, async_scheduling=True
    )
    assert both(load, beside).end_s.tolist() == pytest.approx([3.0, 4.0])


def test_only_models_of_kernels_need_the_time_that_the_host_takes_for_a_sequence():
    assert Cluster.uniform(1, LatencyModel.linear()).pools[0].sequence_overhead_s == 0.0
    assert Cluster.uniform(1, "h100-llama-3.1-8b").pools[0].sequence_overhead_s == 7e-6
