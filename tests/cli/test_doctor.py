"""`workloadlab doctor` says what is installed, and nothing private."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workloadlab.simulation import self_test as module
from workloadlab.simulation.self_test import SelfTest, self_test


def test_both_engines_agree():
    assert self_test().agree


def test_doctor_tells_what_a_bug_report_needs(run, monkeypatch):
    monkeypatch.setattr(
        module,
        "self_test",
        lambda: SelfTest(agree=True, requests=3, compiled_s=0.1, readable_s=0.2),
    )
    code, out, _ = run("doctor")
    assert code == 0
    assert "both engines agree on 3 requests" in out
    assert "polars" in out
    assert str(Path.home()) not in out


@pytest.mark.parametrize(("agree", "expected"), [(True, 0), (False, 1)])
def test_doctor_as_json(run, monkeypatch, agree, expected):
    monkeypatch.setattr(
        module,
        "self_test",
        lambda: SelfTest(agree=agree, requests=3, compiled_s=0.1, readable_s=0.2),
    )
    code, out, _ = run("doctor", "--json")
    assert code == expected
    facts = json.loads(out)
    assert facts["self_test"]["agree"] is agree
    assert facts["memory_gb"] > 0
    assert facts["libraries"]["polars"]
