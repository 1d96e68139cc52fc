"""Traces that are too small, too equal or too empty get a profile that says so."""

from __future__ import annotations

import json

import pytest
from support.traces import requests_at

from workloadlab import LatencyModel, Profile, Trace, characterize
from workloadlab.characterization import Unsupported
from workloadlab.errors import UsageError

SECOND = 1_000_000_000


def make(arrival_s: list[float], **columns: list) -> Trace:
    return requests_at(arrival_s, **{"input_tokens": 10, "output_tokens": None} | columns)


def codes(profile: Profile) -> set[str]:
    return {finding.code for finding in profile.integrity.findings}


def test_empty_trace() -> None:
    profile = characterize(make([]))
    assert isinstance(profile.arrivals, Unsupported)
    assert isinstance(profile.lengths.input, Unsupported)
    assert profile.trace.rate_rps is None
    assert "no_requests" in codes(profile)
    json.dumps(profile.to_dict(), allow_nan=False)


def test_one_request() -> None:
    profile = characterize(make([5.0], output_tokens=[3]))
    assert "one request" in profile.arrivals.unsupported
    assert (profile.lengths.input.n, profile.lengths.input.sd) == (1, None)
    assert profile.lengths.joint.pearson is None
    assert profile.trace.first_arrival_s == 5.0


def test_two_requests() -> None:
    profile = characterize(make([0, 2]))
    assert profile.arrivals.iat_s.mean == 2.0
    assert profile.arrivals.iat_s.cv is None
    assert profile.arrivals.rate_rps == 1.0


def test_all_at_one_instant() -> None:
    profile = characterize(make([1.0] * 50))
    assert "one instant" in profile.arrivals.unsupported
    assert "all_simultaneous" in codes(profile)
    assert "clock_tick" not in codes(profile)


def test_all_equal_lengths_and_a_metronome() -> None:
    profile = characterize(make(list(range(100)), output_tokens=[7] * 100))
    assert profile.arrivals.iat_s.cv == 0.0
    assert profile.arrivals.dispersion["1"] == 0.0
    assert profile.lengths.input.gini == 0.0
    joint = profile.lengths.joint
    assert (joint.pearson, joint.spearman, joint.kendall, joint.pearson_log) == (None,) * 4
    assert codes(profile) == {"missing_timings"}


def test_no_outputs() -> None:
    profile = characterize(make([0, 1, 2]))
    assert profile.to_dict()["lengths"]["output"] == {
        "unsupported": "no request records output_tokens"
    }
    assert "missing_output" in codes(profile)


def test_some_outputs_missing() -> None:
    profile = characterize(
        make([0, 1, 2, 3], input_tokens=[1, 2, 3, 9], output_tokens=[4, None, 6, 1])
    )
    assert (profile.lengths.output.n, profile.lengths.output.missing) == (3, 1)
    assert profile.lengths.joint.rows == 3
    assert profile.lengths.joint.input_output_ratio == 13 / 11


def test_zeros_are_measured_values() -> None:
    profile = characterize(
        make([0, 1, 2, 3], input_tokens=[0, 0, 5, 9], output_tokens=[0, 0, 0, 4])
    )
    assert (profile.lengths.input.zeros, profile.lengths.output.zeros) == (2, 3)
    assert profile.lengths.joint.pearson_log_rows == 1
    assert {"zero_input", "zero_output"} <= codes(profile)


def test_only_zeros() -> None:
    profile = characterize(make([0, 1], input_tokens=[0, 0], output_tokens=[0, 0]))
    assert profile.lengths.input.gini is None
    assert profile.lengths.input.top1_token_share is None
    assert profile.lengths.joint.input_output_ratio is None


def test_warm_up_rows_are_left_out_and_counted() -> None:
    profile = characterize(
        make(
            [0, 1, 2, 10],
            input_tokens=[1000, 1, 2, 3],
            warmup=[True, False, False, False],
        )
    )
    assert (profile.trace.rows, profile.trace.requests, profile.trace.warmup_requests) == (4, 3, 1)
    assert profile.lengths.input.sum == 6
    assert profile.arrivals.span_s == 9.0
    assert profile.trace.first_arrival_s == 1.0
    assert "warmup_rows" in codes(profile)


def test_only_warm_up_rows() -> None:
    profile = characterize(make([0, 1], warmup=[True, True]))
    assert profile.trace.requests == 0
    assert {"no_requests", "warmup_rows"} <= codes(profile)


def test_years_of_rare_requests_take_no_memory() -> None:
    profile = characterize(make([0, 0.05, 1e8]))
    assert profile.arrivals.dispersion["0.1"] == pytest.approx(2.0, rel=1e-6)
    assert profile.arrivals.per_minute.min == 0
    assert len(profile.arrivals.rate_series.counts) <= 500


def test_empty_lists_of_blocks() -> None:
    nothing = {"block_ids": [[], []], "block_size": [16, 16]}
    assert "empty" in characterize(make([0, 1], **nothing)).prefix.unsupported
    some = {"block_ids": [[], [1, 2], None, [1]], "block_size": [16, 16, 16, 16]}
    prefix = characterize(make([0, 1, 2, 3], input_tokens=[0, 20, 9, 3], **some)).prefix
    assert (prefix.requests, prefix.missing, prefix.blocks) == (3, 1, 3)
    assert prefix.ceiling.block_hit_ratio == 1 / 3
    assert prefix.ceiling.token_hit_ratio == 3 / 23
    assert prefix.ceiling.full_block_hit_ratio == 0
    assert [point.block_hit_ratio for point in prefix.lru] == [0, 1 / 3]


def test_mixed_block_sizes_are_refused() -> None:
    mixed = {"block_ids": [[1], [1]], "block_size": [16, 512]}
    assert "16, 512" in characterize(make([0, 1], **mixed)).prefix.unsupported


def test_cache_sizes_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="lru_blocks = 0 is not a whole number from 1"):
        characterize(make([0, 1]), lru_blocks=[100, 0])


def test_prompts_without_tokens_but_with_blocks() -> None:
    zeros = {"block_ids": [[1], [1]], "block_size": [16, 16]}
    prefix = characterize(make([0, 1], input_tokens=[0, 0], **zeros)).prefix
    assert prefix.ceiling.token_hit_ratio is None
    assert prefix.ceiling.mean_request_hit_ratio is None
    assert prefix.lru[0].token_hit_ratio is None


def test_everything_at_once_is_still_json() -> None:
    crowded = make(
        [3.0] * 60,
        input_tokens=[0] * 60,
        output_tokens=[0] * 60,
        ttft_ns=[0] * 60,
        e2e_ns=[0] * 60,
        session_id=["s"] * 60,
        tenant_id=["t"] * 60,
        finish_reason=["tool_calls"] * 60,
        block_ids=[[1]] * 60,
        block_size=[16] * 60,
    )
    profile = characterize(crowded, LatencyModel.linear(constant_s=0.01))
    json.dumps(profile.to_dict(), allow_nan=False)
    assert Profile.from_dict(json.loads(profile.to_json())) == profile
    assert profile.tenants.k90 == 1
    assert profile.phases.offered_load is None
    assert isinstance(profile.concurrency, Unsupported)


def test_only_warm_up_rows_leave_every_topic_unsupported() -> None:
    columns = {
        "session_id": ["s", "s"],
        "tenant_id": ["t", "t"],
        "block_ids": [[1], [1]],
        "block_size": [16, 16],
        "output_tokens": [1, 1],
        "e2e_ns": [5, 5],
    }
    model = LatencyModel.linear(constant_s=0.01)
    profile = characterize(make([0, 1], warmup=[True, True], **columns), model)
    topics = {
        name: topic for name, topic in vars(profile).items() if name not in ("trace", "lengths")
    }
    topics.pop("integrity")
    assert {type(topic) for topic in topics.values()} == {Unsupported}
