"""Rate sweeps of a real engine, light, at the knee and in overload."""

from __future__ import annotations

from statistics import mean

import pytest
from support.rate_sweeps import CLIENT_REQUESTS, SWEEPS, replayed, stages


@pytest.fixture(scope="module", params=list(SWEEPS))
def sweep(request, shared_data):
    return SWEEPS[request.param], stages(shared_data, request.param)


def of_the_engine(stage, caching, seed=0):
    return replayed(
        stage, seed=seed, max_num_seqs=128, max_num_batched_tokens=8192, prefix_caching=caching,
        async_scheduling=False,
    )  # fmt: skip


@pytest.mark.data
def test_the_client_never_has_more_requests_in_flight_than_it_keeps(sweep):
    _, measured = sweep
    in_flight = [stage.throughput_rps * stage.e2e_s for stage in measured]  # Little's law
    assert max(in_flight) < CLIENT_REQUESTS
    assert all(
        in_flight[k] > 0.85 * CLIENT_REQUESTS
        for k, stage in enumerate(measured)
        if stage.overloaded
    )


@pytest.mark.data
def test_light_load_decodes_as_fast_as_measured(sweep):
    caching, measured = sweep
    for stage in measured[:2]:
        found = of_the_engine(stage, caching)
        print(f"{stage.requested_rps}/s: TPOT {found['tpot_s'] / stage.tpot_s - 1:+.1%}")
        assert found["tpot_s"] == pytest.approx(stage.tpot_s, rel=0.04)


@pytest.mark.data
def test_every_rate_and_the_throughput_in_overload(sweep):
    """The host's time per sequence, and that of decodes beside a prompt, were seen on these sweeps."""
    caching, measured = sweep
    for stage in measured:
        runs = [of_the_engine(stage, caching, seed) for seed in range(5)]
        e2e_s, throughput_rps = (
            mean(run[name] for run in runs) for name in ("e2e_s", "throughput_rps")
        )
        error = e2e_s / stage.e2e_s - 1
        print(f"{stage.requested_rps}/s: e2e {error:+.1%}, of {throughput_rps:.1f}/s served")
        assert abs(error) < 0.10
        if stage.overloaded:
            assert throughput_rps == pytest.approx(stage.throughput_rps, rel=0.05)
