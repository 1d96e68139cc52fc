"""`workloadlab doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from workloadlab.cli.common import json_option, print_json, working
from workloadlab.tables import wrapped

EXIT_UNWELL = 1


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Say what is installed, where machine code is kept, and whether the two engines agree.

    Nothing of it is private: paste it into a bug report. Exits 1 if the engines disagree.
    """
    from workloadlab import installation
    from workloadlab.jit import kept_in
    from workloadlab.simulation.self_test import self_test

    facts = installation.facts()
    with working("Replaying with both engines"):
        test = self_test()
    kept = kept_in()
    facts["machine_code"] = "nowhere" if kept is None else _without_home(kept)
    facts["self_test"] = asdict(test)
    if as_json:
        print_json({"schema_version": 1, **facts})
    else:
        for name, value in facts.items():
            if name != "self_test":
                label = f"{name.replace('_', ' '):<13} "
                click.echo(wrapped(_words(value), label, " " * len(label)))
        said = "agree" if test.agree else "DISAGREE"
        words = (
            f"both engines {said} on {test.requests} requests: compiled {test.compiled_s:.2f} s, "
            f"readable {test.readable_s:.2f} s"
        )
        click.echo(wrapped(words, "self test     ", " " * 14))
    if not test.agree:
        raise click.exceptions.Exit(EXIT_UNWELL)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number or 'is not installed'}" for name, number in value.items())
    return str(value)


def _without_home(folder: Path) -> str:
    home = Path("~").expanduser()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
