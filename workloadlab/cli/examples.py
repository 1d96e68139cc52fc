"""Examples for each verb, printed at the end of its help; the tests run them in this order."""

from __future__ import annotations

import textwrap

__all__ = ["EXAMPLES", "epilog"]

WIDTH = 70
"""Of a command beside its indents and the sign that it goes on."""

LATENCY = "--latency rtxpro6000-llama-3.1-8b"

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("workloadlab demo --out demo-out",),
    "ingest": (
        "workloadlab ingest traces/chat.csv -o chat.trace",
        "workloadlab ingest my.csv --map arrival=ts,input_tokens=prompt,output_tokens=answer",
    ),
    "traces": ("workloadlab traces list",),
    "characterize": ("workloadlab characterize chat.trace -o chat.profile.json",),
    "measure": ("workloadlab measure --model llama-3.1-8b -o steps.parquet",),
    "fit": ("workloadlab fit --list", "workloadlab fit steps.parquet -o model.json"),
    "calibrate": ("workloadlab calibrate prod.trace --cluster cluster.toml -o model.json",),
    "cluster": (f"workloadlab cluster chat.trace {LATENCY} > cluster.toml",),
    "replay": (
        f"workloadlab replay chat.trace {LATENCY} --router round_robin,least_requests -o runs",
        "workloadlab replay prod.trace --sweep sweep.toml -o sweep",
    ),
    "merge": ("workloadlab merge prod-1 prod-2 -o sweep",),
    "train": ("workloadlab train chat.trace --cluster cluster.toml -o router.json",),
    "score": (
        "workloadlab score runs --slo ttft=500ms,tpot=50ms",
        "workloadlab score runs --fail-on 'p99 ttft_s > +5% vs round_robin'",
    ),
    "plan": ("workloadlab plan chat.trace --cluster cluster.toml --slo ttft=1,tpot=50ms",),
    "report": ("workloadlab report page.html --trace chat.trace --runs runs",),
    "query": (
        "workloadlab query rate_by_minute chat.trace",
        "workloadlab query --sql 'SELECT max(input_tokens) FROM trace' chat.trace",
    ),
    "export": ("workloadlab export chat.trace --format vidur -o chat-vidur.csv",),
    "doctor": ("workloadlab doctor --json",),
    "completion": ("workloadlab completion bash >> ~/.bashrc",),
}


def epilog(verb: str) -> str:
    """Return the examples of a verb as click prints them, line by line, 80 columns at most."""
    lines = EXAMPLES.get(verb, ())
    title = "Examples:" if len(lines) > 1 else "Example:"
    return "\n".join(["\b", title, *(_continued(line) for line in lines)])


def _continued(line: str) -> str:
    """Break a long command between its words, as a shell takes it."""
    parts = textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "  " + " \\\n    ".join(parts)
