"""What drives a router, by shuffling what it sees."""

from __future__ import annotations

import pytest
from support.learning import mixed_trace, two_speeds

from workloadlab.learning.cells import Cell
from workloadlab.learning.importance import drivers_text, importance_of
from workloadlab.routing.learned.artefact import LearnedRouter
from workloadlab.simulation.workload import workload_of


@pytest.fixture(scope="module")
def cell():
    return Cell(0.9, workload_of(mixed_trace(400)), two_speeds())


def test_only_what_a_router_heeds_drives_it(cell):
    blind = LearnedRouter(rules={"prefill_token_s": 5e-5, "speed": 0.0}, body={"wait": 1.0})
    found = importance_of(blind.router(), cell)
    assert set(found) <= {"queued_tokens"}
    seeing = LearnedRouter(
        rules={"step_s": 0.01, "prefill_token_s": 5e-5}, body={"prefill": 1.0, "batch": 1.0}
    )
    found = importance_of(seeing.router(), cell)
    assert "relative_speed" in found
    assert "context_tokens" not in found
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert drivers_text({"importance": found}).startswith(f"driven by {next(iter(found))} ")


def test_without_a_measurement_nothing_is_said():
    assert drivers_text({}) == ""
