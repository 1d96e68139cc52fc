"""The models that ship: their cards keep the promises made about them."""

from __future__ import annotations

import pytest

from workloadlab.latency import LatencyModel
from workloadlab.latency.catalog.build import MODELS


def test_the_catalogue_holds_what_the_builder_names() -> None:
    assert LatencyModel.catalog() == sorted(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_held_out_errors_stay_within_bounds(name) -> None:
    card = LatencyModel.load(name).card
    assert "groups held out" in card.split
    bounds = {"decode": 0.02, "prefill": 0.01, "mixed": 0.02}
    for kind, bound in bounds.items():
        part = card.find("kind", kind)
        assert part.mape < bound, kind
        assert abs(part.bias) < 0.01, kind
    assert card.overall.p95 < 0.07
    # The honest part: beyond 262,144 cached tokens in a mixed batch the form does not follow.
    assert card.find("decode_context_tokens", "over 262,144").mape < 0.08
