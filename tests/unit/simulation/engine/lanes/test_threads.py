"""Threads that share out a step: they sleep, wake, end and are replaced without anybody noticing."""

from __future__ import annotations

import gc
import os
import threading
import time

import numpy as np
import pytest
from support.traces import requests_at_ns

import workloadlab as wl
from workloadlab.simulation.engine.lanes import thread_shares

LANES = 64


def environment(threads):
    rng = np.random.default_rng(3)
    trace = requests_at_ns(
        np.cumsum(rng.integers(0, 60_000_000, 400)),
        input_tokens=rng.integers(1, 500, 400),
        output_tokens=rng.integers(1, 50, 400),
    )
    model = wl.LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-4, decode_seq_s=1e-3)
    return wl.Environment(
        trace, wl.Cluster.uniform(3, model), lanes=LANES, windows=50, threads=threads
    )


def earned(made, steps, pause_s=0.0):
    """What lanes earn with random choices, with a pause before every tenth step."""
    rewards = []
    for step in range(steps):
        if step % 10 == 0:
            time.sleep(pause_s)
        choices = (made.batch.requests["draw"] * 3).astype(int)
        rewards.append(made.step(choices)[1])
    return np.stack(rewards)


def lane_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("lanes-")]


def test_threads_that_fell_asleep_are_woken():
    alone = earned(environment(1), 120)
    np.testing.assert_array_equal(earned(environment(3), 120, pause_s=0.003), alone)


def test_no_more_threads_than_the_lanes_are_worth():
    others = set(lane_threads())
    made = environment(8)
    earned(made, 1)
    assert len(set(lane_threads()) - others) == LANES // 16 - 1


def test_threads_end_with_their_environment():
    made = environment(2)
    earned(made, 3)
    mine = set(lane_threads())
    assert mine
    del made
    gc.collect()
    for thread in mine:
        thread.join(5)
    assert not mine & set(lane_threads())


def test_a_forked_process_has_threads_of_its_own():
    """What multiprocessing does on Linux: the child has the memory, but no thread but the one."""
    alone, made = environment(1), environment(2)
    for each in (alone, made):
        earned(each, 5)
    later = earned(alone, 20)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(earned(made, 20), later) else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(earned(made, 20), later)


def test_an_interrupt_leaves_no_thread_at_work(monkeypatch):
    """Else they would write into arrays that are given back."""
    made = environment(2)
    earned(made, 1)
    threads = made._lanes._threads
    with monkeypatch.context() as patch:
        patch.setattr(threads._kernel, "lead", interrupted)
        with pytest.raises(KeyboardInterrupt):
            earned(made, 1)
    behind = threads._shares["asked"] - threads._shares["done"]
    assert behind.tolist() == [1, 0]
    made.reset()
    np.testing.assert_array_equal(earned(made, 60), earned(environment(1), 60))


def interrupted(shares, count):
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_is_not_waited_for(monkeypatch):
    def broken(shares, k):
        raise MemoryError

    monkeypatch.setattr(thread_shares, "follow", broken)
    with pytest.raises(RuntimeError, match="thread"):
        environment(2)
