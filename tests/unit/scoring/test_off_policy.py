"""Off-policy values: equal to a replay where nothing queues, and distrusted where nothing overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from support.runs import outcome_of

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.scoring import off_policy

N = 3000


def placed(choice, prompts, *, seed):
    """Return a log without queues: instance b is faster for short prompts, a for long ones."""
    noise = np.random.default_rng(seed).gamma(4, 0.02, N)
    ttft = np.where(choice == 0, 1.0, 0.001 * prompts) + noise
    names = np.array(["a", "b"])[choice].tolist()
    return outcome_of(ttft, ttft + 1, instance_id=names, input_tokens=prompts.tolist())


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    prompts = rng.integers(1, 3000, N)
    log = placed(np.where(rng.random(N) < 0.3, 0, 1), prompts, seed=1)
    return log, placed(np.where(prompts > 1000, 0, 1), prompts, seed=2)


def test_a_log_tells_what_another_router_would_have_achieved(scene):
    log, better = scene
    found = off_policy(log, [better])
    assert found.logged > 1.5 * found.simulated
    assert found.low < found.simulated < found.high
    for value in (found.ips, found.snips, found.doubly_robust):
        assert value == pytest.approx(found.simulated, rel=0.06)
    assert found.trusted
    assert "of the requests are placed as logged" in str(found)


def test_a_router_that_draws_as_the_log_did_has_the_logs_value():
    rng = np.random.default_rng(0)
    prompts = rng.integers(1, 3000, N)
    log, *seeds = (
        placed(np.where(rng.random(N) < 0.3, 0, 1), prompts, seed=seed) for seed in range(21)
    )
    found = off_policy(log, seeds)
    assert found.snips == pytest.approx(found.logged, rel=0.05)
    assert found.doubly_robust == pytest.approx(found.logged, rel=0.05)


def test_what_hardly_overlaps_is_not_trusted():
    rng = np.random.default_rng(3)
    prompts = rng.integers(1, 3000, N)
    log = placed(np.where(rng.random(N) < 0.002, 0, 1), prompts, seed=1)
    found = off_policy(log, [placed(np.zeros(N, int), prompts, seed=2)])
    assert not found.trusted
    assert "do not trust it" in str(found)


def test_other_requests_are_refused(scene):
    log, _ = scene
    other = outcome_of([1.0, 1.0], [2.0, 2.0])
    with pytest.raises(UsageError, match="other requests"):
        off_policy(log, [other])
    with pytest.raises(wl.errors.UnsupportedError, match="instance_id"):
        off_policy(outcome_of([1.0], [2.0], instance_id=None), [log])
