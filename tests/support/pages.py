"""What a page is made of: a workload, a latency model, a scoreboard and its runs, under any names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from support.runs import run_info
from workloadlab import LatencyModel, Trace, characterize
from workloadlab.scoring import SLO, score
from workloadlab.trace import Provenance, Runs

__all__ = ["EVIL", "MS", "make_parts"]

EVIL = '<script>alert("x")</script>&$a_1$.12345678'
MS = 1_000_000


def make_parts(name="chat.csv", routers=("one", "two")):
    draw = np.random.default_rng(0)
    n = 300
    columns = {
        "arrival_ns": np.sort(draw.integers(0, 600_000 * MS, n)),
        "input_tokens": draw.integers(1, 5000, n),
        "output_tokens": draw.integers(1, 300, n),
    }
    provenance = Provenance(reader="csv", sources=[{"path": f"/logs/{name}", "rows": n}])
    trace = Trace.from_frame(pl.DataFrame(columns), provenance=provenance)
    infos, outcomes = [], []
    for number, router in enumerate(routers):
        ttft = draw.integers(20 * MS, 400 * MS, n) + number * MS
        timings = {"ttft_ns": ttft, "e2e_ns": ttft + 20 * MS * columns["output_tokens"],
                   "outcome": ["ok"] * n, "instance_id": ["pool/0"] * n}  # fmt: skip
        infos.append(run_info(router))
        outcomes.append(Trace.from_frame(pl.DataFrame(columns | timings)))
    runs = Runs(
        tuple(infos), tuple(outcomes), {"pool": [{"name": name, "instances": 1, "latency": name}]}
    )
    model = replace(LatencyModel.load("rtxpro6000-llama-3.1-8b"), name=name, model=name, gpu=name)
    return [characterize(trace), model, score(runs, slo=SLO(ttft_s=0.2)), runs]
