"""docs/accuracy.md and its figure, from cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from support.accuracy.cells import BANDS, METRICS
from support.accuracy.published import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.accuracy.cells import Cell

__all__ = ["Study", "write_figure", "write_page"]

HEAD = ("TTFT", "TPOT", "e2e", "throughput")
LIMIT = 0.5
"""Where the figure's axis ends; larger errors stand at its border as triangles."""

INTRODUCTION = """# Accuracy

`make accuracy` writes this page: every real run in reach, replayed. An error is simulated / measured - 1
of the mean, so -5 % means that the replay is faster than the engine was.

| replay | knows |
|---|---|
| defaults | the model, the GPU, how many instances: nothing of how the engine was started |
| log facts | also what the log records of its engine (`wl.Cluster.from_trace`); nothing is fitted |
| log facts, prompts named | also which blocks of tokens the prompts share, which these logs do not say |
| calibrated on x % | the log cut after x % of the requests, and no model; judged on the others |
| scaled on x % | the same, and moves the scale of the catalogue's model and a time per step |

Where prompts are named, a row is the mean of nine replays whose steps take up to 0.2 % longer or
shorter; the least and the most of the nine stand below.

A cut log knows nothing of what came later: neither which requests nor when. The errors that
`workloadlab calibrate` prints for the rest of its log are answers to an easier question: fits know all
arrivals and lengths, so their simulations have the queues and batches of the whole log, and only its
later timings are hidden. Those say how well a model explains a log, the rows here how well it foretells.

| load | a request finds, itself included |
|---|---|
| light | requests in flight on up to half of the seats (`max_num_seqs` of all instances) |
| knee | on up to all of them |
| overload | more requests than seats |

A stage of a rate sweep is overload if it serves under 95 % of what is to be sent, knee if its mean e2e
is more than 1.5 times the lightest stage's.
"""


@dataclass(frozen=True)
class Study:
    """A kind of real runs.

    Attributes:
        title: of its section.
        source: where the runs are from.
        looked_at: which of them any setting was chosen by.
        cells: errors of the runs.
        summary: a table of runs that are too many for a row each.
    """

    title: str
    source: str
    looked_at: str
    cells: tuple[Cell, ...] = ()
    summary: str = ""


def write_page(path: Path, studies: Sequence[Study]) -> None:
    """Write the page."""
    parts = [INTRODUCTION, f"![Errors by run, replay and load]({path.stem}.svg)\n"]
    for study in studies:
        parts += [
            f"## {study.title}\n",
            f"{study.source}\n",
            f"Looked at while building: {study.looked_at}\n",
        ]
        for run in dict.fromkeys(cell.run for cell in study.cells):
            parts.append(_table(run, [cell for cell in study.cells if cell.run == run]))
        parts += [study.summary] if study.summary else []
    parts += [
        "## What other simulators state\n",
        "Their own figures on their own runs, unless it says so.\n",
    ]
    rows = [f"| {s.simulator} | {s.runs} | {s.error} | {s.source} |" for s in PUBLISHED]
    parts.append(
        "\n".join(["| simulator | runs | error | source |", "|---|---|---|---|", *rows]) + "\n"
    )
    path.write_text("\n".join(parts), "utf-8")


def _table(run: str, cells: Sequence[Cell]) -> str:
    shown = [k for k, name in enumerate(METRICS) if any(name in cell.errors for cell in cells)]
    lines = [f"**{run}**\n", f"| replay | load | requests | {' | '.join(HEAD[k] for k in shown)} |",
             "|---|---|---:|" + "---:|" * len(shown)]  # fmt: skip
    for cell in cells:
        errors = " | ".join(
            f"{cell.errors[METRICS[k]]:+.1%}".replace("%", " %")
            if METRICS[k] in cell.errors
            else ""
            for k in shown
        )
        lines.append(f"| {cell.mode} | {cell.band} | {cell.requests:,} | {errors} |")
    return "\n".join(lines) + "\n"


def write_figure(path: Path, studies: Sequence[Study]) -> None:
    """Draw every error in one picture: a row for each run and replay, a colour for each load band."""
    cells = [cell for study in studies for cell in study.cells if cell.band != "all"]
    names = list(dict.fromkeys((cell.run, cell.mode) for cell in cells))
    colours = dict(zip(BANDS, ("#4477aa", "#ccbb44", "#cc3311"), strict=True))
    with mpl.rc_context({"svg.hashsalt": "accuracy", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 1.2 + 0.27 * len(names)), layout="constrained")
        axes = figure.subplots(1, 3, sharey=True)
        for axis, name, title in zip(axes, METRICS[:3], HEAD[:3], strict=True):
            for cell in cells:
                if name not in cell.errors:
                    continue
                error = cell.errors[name]
                outside = abs(error) > LIMIT
                axis.plot(
                    max(-LIMIT, min(LIMIT, error)), names.index((cell.run, cell.mode)),
                    marker=("<" if error < 0 else ">") if outside else "o",
                    color=colours[cell.band], alpha=0.8, markersize=5, linestyle="none",
                )  # fmt: skip
            axis.axvspan(-0.05, 0.05, color="0.92", zorder=0)
            axis.set(title=f"mean {title}", xlim=(-1.05 * LIMIT, 1.05 * LIMIT))
            axis.xaxis.set_major_formatter("{x:+.0%}")
        axes[0].set_yticks(range(len(names)), [f"{run}: {mode}" for run, mode in names], fontsize=7)
        axes[0].set_ylim(len(names) - 0.5, -0.5)
        marks = [axes[0].plot([], [], "o", color=colours[band], label=band)[0] for band in BANDS]
        figure.legend(handles=marks, loc="outside lower right", ncols=3, frameon=False)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
