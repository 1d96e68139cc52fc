"""How long each request would prefill and decode, by a latency model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from workloadlab.characterization.facts import Unsupported
from workloadlab.characterization.rows import read_columns
from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.latency import LatencyModel
    from workloadlab.trace import Trace

__all__ = [
    "CHUNK_TOKENS",
    "DECODE_BATCH",
    "PhaseTimes",
    "kv_bytes_per_token",
    "predict_phases",
]

CHUNK_TOKENS = 2048
DECODE_BATCH = 32


@dataclass(frozen=True)
class PhaseTimes:
    """Predicted times of the requests that record an output, in order of arrival.

    Attributes:
        prefill_s: of the prompt alone, in chunks of 2,048 tokens, without cached prefixes.
        decode_s: of the output after its first token, among 32 like requests.
        engine_s: of one instance: prefill_s + decode_s / 32.
        compute_s: part of prefill_s beyond what steps of one token take.
        outside: prompts with a chunk outside the model's domain.
    """

    arrival_ns: NDArray[np.int64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    prefill_s: NDArray[np.float64]
    decode_s: NDArray[np.float64]
    engine_s: NDArray[np.float64]
    compute_s: NDArray[np.float64]
    outside: NDArray[np.bool_]

    @property
    def total_tokens(self) -> NDArray[np.int64]:
        """Tokens of each request's prompt and output."""
        return self.input_tokens + self.output_tokens

    def kv_token_s(self) -> float:
        """Sum what each request holds: its prompt while it prefills, then half its output more."""
        held = self.input_tokens * self.prefill_s
        held += (self.input_tokens + self.output_tokens / 2) * self.decode_s
        return float(held.sum())


def kv_bytes_per_token(model: LatencyModel | None) -> int | None:
    """Return the KV cache bytes of one token of the model's served model; None where unknown."""
    from workloadlab.latency import ModelGeometry

    if model is None:
        return None
    known = model.system.get("kv_bytes_per_token")
    if known:
        return int(known)
    try:
        return ModelGeometry.named(model.model).kv_bytes_per_token()
    except UsageError:
        return None


def predict_phases(trace: Trace, model: LatencyModel) -> PhaseTimes | Unsupported:
    """Predict both phases of every request that records an output."""
    if not trace.has("output_tokens"):
        return Unsupported("no request records output_tokens")
    rows = read_columns(trace, "input_tokens", "output_tokens")
    rows = rows.filter(pl.col("output_tokens").is_not_null())
    if not len(rows):
        return Unsupported("no measured request records output_tokens")
    inputs = rows["input_tokens"].cast(pl.Int64).to_numpy()
    outputs = rows["output_tokens"].cast(pl.Int64).to_numpy()
    lengths, codes = np.unique(inputs, return_inverse=True)
    seconds, compute, outside = _prefill(lengths, model)
    contexts = inputs + outputs / 2
    batch = {
        "decode_seqs": np.full(len(inputs), DECODE_BATCH),
        "decode_context_tokens": DECODE_BATCH * contexts,
    }
    per_token = model.predict(batch)
    tokens = np.maximum(outputs - 1, 0)
    decode_s = tokens * per_token
    prefill_s = seconds[codes]
    return PhaseTimes(
        arrival_ns=rows["arrival_ns"].to_numpy(),
        input_tokens=inputs,
        output_tokens=outputs,
        prefill_s=prefill_s,
        decode_s=decode_s,
        engine_s=prefill_s + decode_s / DECODE_BATCH,
        compute_s=compute[codes],
        outside=outside[codes],
    )


def _prefill(
    lengths: NDArray[np.int64], model: LatencyModel
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return seconds, seconds beyond the floor and whether outside the domain, by prompt length."""
    chunks = -(-lengths // CHUNK_TOKENS)
    owner = np.repeat(np.arange(len(lengths)), chunks)
    before = (np.arange(len(owner)) - np.repeat(np.cumsum(chunks) - chunks, chunks)) * CHUNK_TOKENS
    tokens = np.minimum(lengths[owner] - before, CHUNK_TOKENS)
    if not len(owner):
        nothing = np.zeros(len(lengths))
        return nothing, nothing, np.zeros(len(lengths), dtype=np.bool_)
    steps = {"prefill_tokens": tokens, "prefill_context_tokens": tokens * before}
    seconds = model.predict(steps)
    floor = model.step_time_s(prefill_tokens=1)
    outside = np.zeros(len(lengths), dtype=np.bool_)
    outside[owner[~model.in_domain(steps)]] = True

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(owner, weights=values, minlength=len(lengths))
        return np.asarray(sums, dtype=np.float64)

    return summed(seconds), summed(np.maximum(seconds - floor, 0)), outside
