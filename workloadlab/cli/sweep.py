"""`workloadlab replay --sweep`: its options, and the way from a sweep file to a folder and a table."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.cli.common import address_option, print_json, say, say_warnings, working
from workloadlab.errors import ContradictionWarning, ExtrapolationWarning, UsageError
from workloadlab.tables import wrapped
from workloadlab.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloadlab.sweeping import Swept

__all__ = ["OPTIONS", "ran", "sweep_options"]

OPTIONS = {"sweep_file": "--sweep", "keep": "--keep", "shard": "--shard", "address": "--address"}
"""By the name of their argument."""

FIRST_S = 10.0
"""Before the first board of what has come out so far; the next ones come at doubling distances."""


def sweep_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a sweep to a verb."""
    options = (
        click.option(
            "--sweep",
            "sweep_file",
            type=click.Path(path_type=Path),
            help="Sweep file (TOML): clusters x instances x routers x rate_scales x seeds, into the "
            "folder of -o. What is there and unchanged is not run again.",
        ),
        click.option(
            "--keep",
            type=click.Choice(["metrics", "outcomes"]),
            help="With --sweep: scores, or outcome traces too, which pairs of routers are compared by; "
            "default as the file says, else metrics.",
        ),
        click.option(
            "--shard",
            metavar="K/N",
            help="With --sweep: the K-th of N equal shares, for arrays of jobs; see workloadlab merge.",
        ),
        address_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def telling_what_is_lost(out: Path | None) -> Iterator[None]:
    """Say to whoever interrupts a replay that no run of it was kept, and what would keep them.

    Args:
        out: the folder for the runs, if there is one.
    """
    try:
        yield
    except KeyboardInterrupt:
        where = f" in {out}" if out else ""
        click.echo(
            wrapped(
                f"no run of this replay was kept{where}; a sweep keeps each as it ends, and goes on "
                "where it was stopped: workloadlab replay TRACE --sweep FILE -o FOLDER"
            ),
            err=True,
        )
        raise


def ran(trace: Path, given: dict[str, Any]) -> bool:
    """Run a sweep and print its board, if the command line asks for one.

    Args:
        trace: what is replayed.
        given: the options of the command line by name.

    Raises:
        UsageError: an option of a sweep without one, or one that a sweep file replaces.
    """
    if given["sweep_file"]:
        _run(trace, given)
        return True
    alone = [option for name, option in OPTIONS.items() if given[name] is not None]
    if alone:
        raise UsageError(f"{alone[0]} without --sweep", fix="leave it out, or give a sweep file")
    return False


def _run(trace: Path, given: dict[str, Any]) -> None:
    from workloadlab.scoring import Measure
    from workloadlab.sweeping import Grid, read_sweep, run_sweep
    from workloadlab.sweeping.best import best_table
    from workloadlab.sweeping.folder import check_folder

    out, by = given["out"], Measure.named(given["by"])
    if out is None:
        raise UsageError("no folder to write to", fix="name the folder of the sweep with -o")
    refused = [name for name in REPLACED if given.get(name) not in (None, (), False, 1, "open")]
    if refused:
        name = REPLACED[refused[0]]
        raise UsageError(f"{name} and --sweep exclude each other", fix="edit the sweep file")
    said = read_sweep(given["sweep_file"])
    check_folder(out, overwrite=given["overwrite"])
    grid = Grid.of(
        trace, said.clusters, said.instances, routers=said.routers, rate_scale=said.rate_scales,
        seeds=said.seeds, sessions=said.sessions,
        slo=said.slo or None,
    )  # fmt: skip
    if grid.repeats:
        say(
            f"{plural(grid.repeats, 'run')} left out: routers that draw nothing, on clusters without "
            "noise, do the same with every seed"
        )
    board = _Board(lambda swept: best_table(swept, by).text())
    with (
        board.told_of_a_stop(out),
        working("Replaying"),
        say_warnings(ContradictionWarning, unsaid=ExtrapolationWarning),
    ):
        swept = run_sweep(
            grid, out=out, keep=given["keep"] or said.keep, overwrite=given["overwrite"],
            shard=given["shard"], engine=given["engine"] or "local", address=given["address"],
            threads=given["threads"], show=board.show,
        )  # fmt: skip
    there = len(swept.cells) - swept.replayed
    say(
        f"{plural(len(swept.cells), 'run')} in {out}: {swept.replayed:,} replayed now, "
        f"{there:,} there already"
    )
    if given["as_json"]:
        facts = {"schema_version": 1, "replayed": swept.replayed, "runs": swept.frame.to_dicts()}
        print_json(facts)
    else:
        click.echo(best_table(swept, by).text())


REPLACED = {
    "cluster_file": "--cluster", "latency": "--latency", "instances": "--instances",
    "kv_blocks": "--kv-blocks", "max_num_seqs": "--max-num-seqs",
    "max_num_batched_tokens": "--max-num-batched-tokens", "step_overhead_s": "--step-overhead-s",
    "ends": "--ends", "routers": "--router", "scales": "--rate-scale", "seeds": "--seeds",
    "sessions": "--sessions", "records": "--record", "add": "--add", "memory_limit": "--memory-limit",
    "slo_targets": "--slo",
}  # fmt: skip
"""Options that a sweep file stands for, or that make no sense beside it."""


class _Board:
    """Says what has come out so far, now and then."""

    def __init__(self, text: Callable[[Swept], str]) -> None:
        self.text, self.began_s, self.next_s = text, time.monotonic(), FIRST_S
        self.last: Swept | None = None

    @contextmanager
    def told_of_a_stop(self, out: Path) -> Iterator[None]:
        """Say what is kept, if the block is stopped."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if self.last:
                kept, every = len(self.last.scores), len(self.last.cells)
                say(f"{kept:,} of {plural(every, 'run')} are kept in {out}; run it again to go on")
            raise

    def show(self, swept: Swept) -> None:
        self.last = swept
        elapsed_s = time.monotonic() - self.began_s
        if elapsed_s >= self.next_s and len(swept.scores) < len(swept.cells):
            say(self.text(swept))
            self.next_s = 2 * elapsed_s
