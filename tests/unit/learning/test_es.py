"""Where evolution begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.learning import mixed_trace, two_speeds

import workloadlab as wl
from workloadlab.learning.es import SHIPPED, router_at, shipped_start
from workloadlab.learning.gradients import gradients_of


def test_it_can_begin_as_the_shelf_ships_the_mixing_costs():
    trace, gradients = mixed_trace(300), gradients_of(two_speeds())
    begun = router_at(shipped_start(gradients), gradients)
    weights = sorted(begun.body.values())
    traces = [name for name, weight in begun.body.items() if weight < 1.001 * weights[0]]
    assert 0.9 * np.exp(-4) < weights[0] / weights[len(traces)] < 1.1 * np.exp(-4)
    bare = replace(
        begun,
        name="bare",
        body={name: weight for name, weight in begun.body.items() if name not in traces},
        rules={**begun.rules, "cap_weight": 0.0},
    )
    runs = wl.replay(trace, two_speeds(), routers=[bare.router(), SHIPPED])
    ours, shipped = (
        runs.outcomes(router=name).read("instance_id")["instance_id"] for name in ("bare", SHIPPED)
    )
    assert ours.equals(shipped)
