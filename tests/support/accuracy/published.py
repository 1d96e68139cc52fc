"""Errors that other simulators state for themselves, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PUBLISHED", "Statement"]


@dataclass(frozen=True)
class Statement:
    """What a simulator's own authors measured, as they put it."""

    simulator: str
    runs: str
    error: str
    source: str


PUBLISHED = (
    Statement("LLMServingSim, April 2026", "the 8B run of this page",
              "mean TTFT -4.0 %, TPOT -1.0 %, e2e -1.8 %",
              "summary.txt beside the run, casys-kaist/LLMServingSim 5daddb2"),
    Statement("LLMServingSim, April 2026", "the run on two ranks of this page",
              "mean TTFT -13.6 %, TPOT -1.7 %, e2e -2.2 %",
              "summary.txt beside the run, casys-kaist/LLMServingSim 5daddb2"),
    Statement("LLMServingSim, newest", "both runs of this page",
              "8B -0.3 / +0.7 / +0.4 %, two ranks -1.5 / +1.1 / +0.9 %",
              "https://llmservingsim.ai/docs/validation (an earlier reading: -2.8 / -0.3 / -1.0 and "
              "-2.9 / +0.6 / +0.4 %)"),
    Statement("BLIS (evolved)", "38 runs: 6 models on H100, A100, L40S",
              "mean absolute error: e2e 11.8 %, TTFT 22.8 %",
              "https://github.com/inference-sim/inference-sim/pull/944"),
    Statement("Revati", "vLLM and SGLang, several models, the real engine's code in warped time",
              "below 5 %", "Agrawal et al., 2026"),
    Statement("Vidur", "a user's run under vLLM 0.9.1", "p50 latency off by 700 %",
              "https://github.com/microsoft/vidur/issues/60"),
)  # fmt: skip
