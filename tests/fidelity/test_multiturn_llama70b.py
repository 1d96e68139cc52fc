"""Closed-loop chats at many concurrency levels: calibrated on some, the others are predicted."""

from __future__ import annotations

import pytest
from support.calibrations import means_alone
from support.multiturn import (
    LOG,
    correlations,
    eight_gpus,
    from_the_lightest,
    level,
    one_gpu,
    server_log,
    slopes,
)

import workloadlab as wl

ON_ONE_GPU = """
With 64 clients on one GPU the time of a step follows the longest context in the batch: over the run
it correlates {longest:.3f} with that and {total:.3f} with the total. Fitted level by level, a token of
context costs, in nanoseconds,
{slopes}
That is what a GPU of 148 multiprocessors does with two thread blocks on each and 8 KV heads: of up to
37 sequences it cuts the contexts so that all blocks have work, and of more it cuts none.

Where the cache is full, vLLM looks up a waiting prompt again at each step and counts its tokens and hits
each time: at 512 clients it looked up {looked_up:.1f} times the tokens of all prompts.
"""


@pytest.mark.data
def test_the_server_schedules_asynchronously(shared_data):
    assert "Asynchronous scheduling is enabled" in server_log(shared_data)


@pytest.mark.data
@pytest.mark.parametrize("gpus", [1, 8])
def test_prompts_are_as_long_as_the_server_counts(shared_data, gpus):
    one = level(shared_data, gpus, 16)
    ours = one.log.read("input_tokens")["input_tokens"].sum()
    assert ours == pytest.approx(one.prompt_tokens, rel=0.002)


@pytest.mark.data
def test_eight_gpus(shared_data):
    with means_alone():
        _, errors = eight_gpus(shared_data, judged=(32, 128))
    for clients, found in errors.items():
        assert abs(found["ttft"]) < 0.10, clients
        assert abs(found["tpot"]) < 0.05, clients
        assert abs(found["running"]) < 0.02, clients
        assert abs(found["waiting"]) < 1.0, clients
        assert abs(found["kv"]) < 0.02, clients
        assert abs(found["hits"]) < 0.03, clients


@pytest.mark.data
def test_sixteen_clients_say_little_of_many_and_the_ends_know(shared_data):
    for clients, outside, errors in from_the_lightest(shared_data, 8, judged=(64, 256)):
        assert outside > 0.5, clients
        for name, (least, _, most) in errors.items():
            assert least < 0 < most, (clients, name)


@pytest.mark.data
def test_one_gpu(shared_data):
    with means_alone():
        levels, errors = one_gpu(shared_data, judged=(32, 64, 256))
    total, longest = correlations(levels[64].log)
    looked_up = levels[512].looked_up_tokens / levels[512].prompt_tokens
    by_level = {clients: slopes(levels[clients].log) for clients in (16, 32, 64, 128)}
    said = "; ".join(
        f"{clients} clients: {1e9 * one:.0f} in the total, {1e9 * other:.0f} in the longest"
        for clients, (one, other) in by_level.items()
    )
    print(ON_ONE_GPU.format(total=total, longest=longest, looked_up=looked_up, slopes=said))
    for clients, found in errors.items():
        assert abs(found["ttft"]) < 0.10, clients
        assert abs(found["running"]) < 0.02, clients
        assert abs(found["kv"]) < 0.02, clients
        assert abs(found["hits"]) < 0.10, clients
        assert abs(found["tpot"]) < 0.10, clients
    assert abs(errors[256]["waiting"]) < 0.10 * levels[256].waiting
    assert longest > 0.98
    assert total < 0.6
    assert max(by_level[16][1], by_level[32][1]) < 0.1 * min(by_level[64][1], by_level[128][1])


@pytest.mark.data
@pytest.mark.parametrize("clients", [64, 128])
def test_the_longest_context_sets_the_pace_where_attention_has_few_slots(shared_data, clients):
    one, four = (
        slopes(wl.ingest(shared_data / LOG, where={"tp": gpus, "bs": clients, "kv_offload": False}))
        for gpus in (1, 4)
    )
    print(f"ns per token of the longest context: {1e9 * one[1]:.0f} and {1e9 * four[1]:.0f}")
    assert four[1] < 0.2 * one[1]
