"""The `workloadlab` command: finds verbs lazily and turns errors into sentences and exit codes."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab._version import __version__
from workloadlab.arguments import legible
from workloadlab.cli.examples import epilog
from workloadlab.cli.sources import sparing_sources
from workloadlab.cli.terminal.machine import (
    end_on_signals,
    machine_error,
    refuse_narrow_address_space,
)
from workloadlab.cli.terminal.voice import log_more, quieten
from workloadlab.digests import unverified
from workloadlab.errors import WorkloadlabError
from workloadlab.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cli", "main"]

VERBS = {
    "demo": "the whole chain on sample logs, from log to report",
    "ingest": "request logs -> trace",
    "traces": "published traces by name -> trace",
    "characterize": "trace -> profile: what the workload is",
    "measure": "this machine's GPU -> measured step times",
    "fit": "measured step times -> latency model of a GPU",
    "calibrate": "request timings -> latency model of the engine that served them",
    "cluster": "trace -> the cluster that served it, for a replay",
    "replay": "trace x cluster x routers -> outcome traces",
    "merge": "folders of the shards of a sweep -> one folder of runs",
    "train": "trace x cluster -> a router that beats the best heuristic, or its name",
    "score": "outcome traces -> scoreboard",
    "plan": "trace x cluster x targets -> how many instances, at what cost",
    "report": "profile, model and runs -> one HTML page",
    "query": "named SQL, or your own, over a trace",
    "export": "trace -> the file that another tool replays",
    "completion": "what your shell needs to complete verbs, routers, models, ...",
    "doctor": "what is installed, and whether both engines agree",
}
"""Verbs with their one line, so that --help imports none of them."""

EXIT_INTERRUPTED = 130
EXIT_INTERNAL = 70
EXIT_UNREAD = 141
EXIT_CODES = {
    0: "ok",
    1: "a gate failed",
    2: "usage: an option, a name or a combination that makes no sense",
    3: "invalid data: a file that can be opened but whose content is wrong",
    4: "the machine lacks room, memory or leave",
    EXIT_INTERNAL: "a bug in workloadlab",
    EXIT_INTERRUPTED: "interrupted",
    EXIT_UNREAD: "whoever read the output stopped before its end, as head does",
    143: "terminated",
}
"""What the command ends with."""


QUIET = click.Option(
    ["-q", "--quiet"], is_flag=True, expose_value=False, is_eager=True, callback=quieten,
    help="Print results only; keep progress and remarks back.",
)  # fmt: skip
VERBOSE = click.Option(
    ["-v", "--verbose"], is_flag=True, expose_value=False, is_eager=True, callback=log_more,
    help="Say what is done on the way, on stderr.",
)  # fmt: skip
"""Options of every verb."""


@contextmanager
def _ended_when_unread() -> Iterator[None]:
    """End quietly where nobody reads the output any more; click would say that a gate failed."""
    try:
        yield
    except BrokenPipeError:
        _drop_output()
        sys.exit(EXIT_UNREAD)


def _drop_output() -> None:
    """Let the rest of the output go nowhere, so that its end does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class LazyVerbs(click.Group):
    """A group that imports a verb's module only when the verb is used."""

    def make_context(self, *words: Any, **extra: Any) -> click.Context:
        """Parse the words, which may print help."""
        with _ended_when_unread():
            return super().make_context(*words, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        with _ended_when_unread():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the chain."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"workloadlab.cli.{cmd_name}").command
        command.epilog = epilog(cmd_name)
        loudness = [QUIET, VERBOSE]
        command.params += [option for option in loudness if option not in command.params]
        if command.callback is not None and not hasattr(command.callback, "spares_sources"):
            command.callback = sparing_sources(command.callback)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb's command; of a misspelt verb, say which it may be."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            fix = did_you_mean(args[0], VERBS, all_of_them="workloadlab --help")
            raise click.UsageError(f"No such command {args[0]!r}.\n  fix: {fix}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="workloadlab")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option(
    "--no-verify", is_flag=True, help="Read files whose digest says that they are damaged."
)
@click.pass_context
def cli(context: click.Context, debug: bool, no_verify: bool) -> None:  # noqa: ARG001
    """Replay your own LLM traffic through candidate routers, offline.

    Results go to stdout, words for people to stderr. Exit codes: 0 ok, 1 a gate failed, 2 usage,
    3 invalid data, 4 the machine lacks room, memory or leave, 130 interrupted, 141 the output was not
    read to its end, 143 terminated, 70 a bug in workloadlab.
    """
    if no_verify:
        context.with_resource(unverified())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its documented code."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    if arguments is None:
        end_on_signals()
    try:
        refuse_narrow_address_space()
        for word in words:
            legible(Path(word))
        code = cli.main(words, prog_name="workloadlab", standalone_mode=False)
    except click.exceptions.Abort:
        code = _say("interrupted", EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        code = _say("interrupted", EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except WorkloadlabError as error:
        if debug:
            raise
        code = _say(f"error: {error}", error.exit_code)
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:
        if debug:
            raise
        known = machine_error(error)
        code = (
            _say(f"error: {known}", known.exit_code) if known else _say(_bug(error), EXIT_INTERNAL)
        )
    try:
        click.echo(nl=False)
    except OSError:
        _drop_output()
    sys.exit(code if isinstance(code, int) else 0)


def _bug(error: BaseException) -> str:
    return (
        f"error: {type(error).__name__}: {str(error)[:500]}\n  this is a bug in workloadlab; "
        "run again as `workloadlab --debug ...` to see where"
    )


def _say(sentence: str, code: int) -> int:
    click.echo(sentence, err=True)
    return code
