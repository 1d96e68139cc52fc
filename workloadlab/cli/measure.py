"""`workloadlab measure`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workloadlab.cli.common import Output, json_option, print_json, say
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.command("measure")
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    help="A built-in model, or a Hugging Face config.json.",
)
@click.option("--dtype", default="bf16", show_default=True, help="bf16, fp16 or fp32.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda or cpu.")
@click.option("--max-num-seqs", type=int, help="Most decoding sequences; default 256.")
@click.option("--max-num-batched-tokens", type=int, help="Most tokens of a chunk; default 2048.")
@click.option("--max-context", type=int, help="Most tokens of one sequence; default 8192.")
@click.option(
    "--refine", type=int, default=48, show_default=True, help="Steps to measure beyond the grid."
)
@click.option("-o", "--out", required=True, type=Output(), help="Step table to write.")
@json_option
def command(
    model: str,
    dtype: str,
    device: str,
    max_num_seqs: int | None,
    max_num_batched_tokens: int | None,
    max_context: int | None,
    refine: int,
    out: Path,
    as_json: bool,
) -> None:
    """Measure step times of a model's decoder, with random weights, on this machine's GPU.

    Interrupted, it goes on where it was: the journal beside OUT has every step measured so far.
    """
    from workloadlab.latency import ModelGeometry
    from workloadlab.latency.measurement import Limits, measure

    path = Path(model)
    geometry = ModelGeometry.from_config(path) if path.is_file() else ModelGeometry.named(model)
    given = {
        "seqs": max_num_seqs,
        "chunk_tokens": max_num_batched_tokens,
        "context_tokens": max_context,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    limits = Limits(**chosen) if chosen else None
    with _bar() as progress:
        table = measure(
            geometry, out, dtype=dtype, device=device, limits=limits, refine=refine,
            progress=progress,
        )  # fmt: skip
    measured = table["model"][0]
    if table["gpu"][0] == "cpu":
        say(f"no GPU was used: these are times of a {measured} on the CPU, not of {geometry.model}")
    say(
        f"{plural(table.height, 'step')} written to {out}; next: workloadlab fit {out} -o model.json"
    )
    if as_json:
        facts = {"steps": table.height, "gpu": table["gpu"][0], "model": measured}
        print_json({"schema_version": 1, **facts})


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Measuring", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
