"""How often the envelope of a line through small batches holds the time of large ones.

    python tests/bench/envelope_coverage.py

The truth is each model of the catalogue: measured kernels, with the terms beyond them. A line is fitted
to its steps of up to 4, 16 and 64 sequences as a calibration would with perfect eyes, and its envelope
made of that line: its coefficients as the most that tokens cost, its 95 % quantile as the error. No
constant of the envelope was chosen here but the eight query heads of a KV head, among 2, 4 and 8.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

import workloadlab as wl
from workloadlab.calibration.findings import envelope_of
from workloadlab.latency import Domain
from workloadlab.latency.step import KINDS, kind_of

PARAMETERS = (
    "constant_s",
    "prefill_token_s",
    "prefill_context_s",
    "decode_seq_s",
    "decode_context_s",
)
SEEN = (4, 16, 64)


def steps(rng, fewest, most, count=3000):
    """Steps of all kinds with so many decodes, contexts of about 1,000 tokens and chunks up to 2,048."""
    kinds = rng.integers(0, 3, count)
    seqs = np.exp(rng.uniform(np.log(fewest), np.log(most + 0.5), count)).round()
    context = np.exp(rng.normal(np.log(1000), 0.5, count)).round().clip(50, 16_000)
    prompt = np.exp(rng.uniform(np.log(16), np.log(2048), count)).round()
    cached = np.where(rng.random(count) < 0.3, rng.integers(0, 2048, count), 0)
    seqs, prompt = np.where(kinds == 1, 0, seqs), np.where(kinds == 0, 0, prompt)
    return np.column_stack([prompt, prompt * cached, seqs, seqs * context]).astype(float)


def line_through(features, seconds):
    """Fit the five parameters of a calibration by relative least squares, none negative."""
    design = np.column_stack([np.ones(len(features)), features]) / seconds[:, None]
    scale = np.linalg.norm(design, axis=0)
    solution = nnls(design / scale, np.ones(len(features)))[0] / scale
    return dict(zip(PARAMETERS, solution.tolist(), strict=True))


def main() -> None:
    rng = np.random.default_rng(0)
    held: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for name in wl.LatencyModel.catalog():
        truth = wl.LatencyModel.load(name)
        largest = min(truth.domain.boxes["decode"]["decode_seqs"][1], 512)
        for seen in SEEN:
            light = steps(rng, 1, seen)
            line = wl.LatencyModel.linear(**line_through(light, truth.seconds(light)))
            off = np.abs(line.seconds(light) / truth.seconds(light) - 1)
            rows = [
                {"name": p, "high": v} for p, v in line_through(light, truth.seconds(light)).items()
            ]
            known = envelope_of(rows, Domain.of(light), {"tpot_s": {"p95": np.quantile(off, 0.95)}})
            for doublings in range(1, 8):
                if seen * 2**doublings > largest:
                    break
                large = steps(rng, 0.9 * seen * 2**doublings, seen * 2**doublings)
                large = large[truth.domain.contains(large)]
                least, most = known.around(large, line.seconds)
                seconds, kinds = truth.seconds(large), kind_of(large)
                for kind in ("decode", "mixed"):
                    here = kinds == KINDS.index(kind)
                    if here.sum() >= 10:
                        inside = (least <= seconds) & (seconds <= most)
                        found = (inside[here].mean(), np.median((most / least)[here]))
                        held.setdefault((kind, seen, doublings), []).append(found)
    print(f"{'kind':8} seen  up to  models  within  most / least")
    for (kind, seen, doublings), found in sorted(held.items()):
        inside, width = np.array(found).T
        print(f"{kind:8} {seen:4d} {seen * 2**doublings:6d} {len(found):7d} {inside.mean():7.1%}"
              f" {np.median(width):9.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
