"""What several verbs share: option parsing and words for people."""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloadlab.atomic import check_place
from workloadlab.cli.completion import METRIC
from workloadlab.cli.terminal.voice import say, working
from workloadlab.errors import UsageError
from workloadlab.tables import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workloadlab.scoring import SLO

__all__ = [
    "Output",
    "address_option",
    "by_option",
    "engine_option",
    "json_option",
    "memory_option",
    "pairs",
    "pairs_option",
    "parse_slo",
    "print_json",
    "print_rows",
    "say",
    "say_warnings",
    "slo_option",
    "split_words",
    "warn",
    "working",
]


class Output(click.Path):
    """Where a verb writes: a file, or a folder. It is tried before the work begins.

    Args:
        folder: it is a folder.
        tried: try it here; else the verb does, since what it is depends on other options.
    """

    def __init__(self, *, folder: bool = False, tried: bool = True) -> None:
        super().__init__(path_type=Path)
        self.folder, self.tried = folder, tried

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises:
            UsageError: it is of the wrong kind, lies nowhere, or is `-`.
            MachineError: nothing can be written there.
        """
        path = Path(str(super().convert(value, param, ctx)))
        if str(path) == "-":
            raise UsageError(
                "- is no place for results: they are files, not written to standard output",
                fix=f"name a {'folder' if self.folder else 'file'}",
            )
        if self.tried:
            check_place(path, folder=self.folder)
        return path


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
slo_option: Callable[..., Any] = click.option(
    "--slo",
    "slo_targets",
    multiple=True,
    metavar="ttft=S",
    help="Service-level target, in seconds or with a unit: ttft=1, tpot=50ms or e2e=30, more for "
    "long prompts with ttft_per_token=0.0005, for one service class with batch:e2e=60; repeat for "
    "several.",
)
by_option: Callable[..., Any] = click.option(
    "--by",
    default="mean ttft_s",
    show_default=True,
    shell_complete=METRIC,
    metavar="MEASURE",
    help="Sort and compare routers by it: p99 ttft_s, goodput_rps, ...; see score --list-metrics.",
)
pairs_option: Callable[..., Any] = click.option(
    "--all-pairs",
    is_flag=True,
    help="Compare every router with every other, not only with the baseline and the best.",
)


def _bytes(_: click.Context, __: click.Parameter, words: str | None) -> int | None:
    from workloadlab.sizes import parse_bytes

    return None if words is None else parse_bytes(words)


address_option: Callable[..., Any] = click.option(
    "--address",
    help="With --engine dask: tcp://HOST:8786; with --engine ray: HOST:6379 or ray://HOST:10001.",
)


def engine_option(about: str) -> Callable[..., Any]:
    """Return the option of who works, with what the work is as its help."""
    return click.option(
        "--engine",
        type=click.Choice(["local", "dask", "ray"]),
        default="local",
        show_default=True,
        help=f"{about}: this machine, or the workers of a cluster.",
    )


def memory_option(about: str) -> Callable[..., Any]:
    """Return the option of a limit on memory, with what it bounds as its help."""
    return click.option("--memory-limit", metavar="SIZE", callback=_bytes, help=about)


@contextmanager
def say_warnings(kind: type[Warning], *, unsaid: type[Warning]) -> Iterator[None]:
    """Tell the person each different warning of a kind, as it comes, and none of another."""
    told: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in told:
            told.add(str(message))
            warn(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", kind)
        warnings.simplefilter("ignore", unsaid)
        warnings.showwarning = show
        yield


def warn(words: str) -> None:
    """Tell the person what may mislead, in lines of 80 columns."""
    say(wrapped(f"warning: {words}"))


def split_words(words: Iterable[str], option: str) -> list[str]:
    """Return the parts of an option that is repeated, or separated by commas.

    Args:
        words: what the user wrote.
        option: the option, for the sentence.

    Raises:
        UsageError: a word that is empty.
    """
    found = []
    for word in words:
        parts = [part.strip() for part in word.split(",") if part.strip()]
        if not parts:
            raise UsageError(f"{option} is empty", fix="give a value, or leave it out")
        found += parts
    return found


def print_rows(rows: Iterable[tuple[str, str]], width: int = 24) -> None:
    """Print names with what is said of each, in lines of 80 columns."""
    for name, said in rows:
        click.echo(wrapped(said, f"{name:<{width}} ", " " * (width + 1)))


def print_json(facts: dict[str, Any]) -> None:
    """Print one document on stdout; never NaN."""
    click.echo(json.dumps(facts, indent=1, allow_nan=False))


def pairs(words: Iterable[str], option: str, *, empty: bool = False) -> dict[str, str]:
    """Parse `key=value` words; a word may hold several, separated by commas.

    Args:
        words: what the user wrote.
        option: the option, for the sentence.
        empty: whether a value may be empty.

    Raises:
        UsageError: a word without "=", or a key given twice.
    """
    found: dict[str, str] = {}
    for word in (part for several in words for part in several.split(",") if part):
        key, equals, value = word.partition("=")
        if not equals or not key or not (value or empty):
            raise UsageError(f"{option} {word!r} is not key=value", fix=f"write {option} key=value")
        if key in found:
            raise UsageError(f"{option} {key} is given twice")
        found[key.strip()] = value.strip()
    return found


def parse_slo(words: Iterable[str]) -> SLO | None:
    """Parse `--slo` words into targets; None without any."""
    from workloadlab.scoring import SLO

    said = ",".join(split_words(words, "--slo"))
    return SLO.of(said) if said else None
