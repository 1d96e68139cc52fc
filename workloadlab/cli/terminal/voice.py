"""How much the command says on stderr: results are always printed, words for people can be kept back."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["log_more", "quieten", "say", "working"]

_QUIET, _VERBOSE = "workloadlab.quiet", "workloadlab.verbose"


def quieten(ctx: click.Context, _: click.Parameter, quiet: bool) -> None:
    """Keep words back from here on."""
    if quiet:
        ctx.meta[_QUIET] = True
        _log_from(ctx, logging.ERROR)


def log_more(ctx: click.Context, _: click.Parameter, verbose: bool) -> None:
    """Say how long each part takes, and show what the library logs."""
    if verbose:
        ctx.meta[_VERBOSE] = True
        _log_from(ctx, logging.DEBUG)


def _log_from(ctx: click.Context, level: int) -> None:
    """Show log lines of a level and above, until the command ends."""
    logger = logging.getLogger("workloadlab")
    before = logger.level
    logger.setLevel(level)
    ctx.call_on_close(lambda: logger.setLevel(before))


def _is(mood: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(mood))


def say(sentence: str) -> None:
    """Tell the person, on stderr, unless the command is quiet."""
    if not _is(_QUIET):
        click.echo(sentence, err=True)


@contextmanager
def working(doing: str, *, rounds: bool = False) -> Iterator[None]:
    """Show what runs, and after a second how far it is; verbose, how long it took.

    Args:
        doing: what runs, in words.
        rounds: it works in rounds, of which nobody knows how many follow.
    """
    began = time.perf_counter()
    if _is(_QUIET):
        yield
    else:
        from workloadlab.cli.terminal.progress import Lines, Spinner
        from workloadlab.execution import watched

        kind = Spinner if sys.stderr.isatty() else Lines
        with kind(doing, rounds=rounds) as shown, watched(shown.tell):
            yield
    if _is(_VERBOSE):
        say(f"{doing}: {time.perf_counter() - began:.2f} s")
