"""`workloadlab characterize`."""

from __future__ import annotations

from pathlib import Path

import click

from workloadlab.cli.common import (
    Output,
    address_option,
    engine_option,
    json_option,
    memory_option,
    say,
    working,
)
from workloadlab.cli.completion import MODEL
from workloadlab.errors import UsageError


class ListsTopics(click.Command):
    """A command whose help ends with the topics of a profile; the rest stays fast."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line per topic, with the queries that compute its numbers in SQL."""
        from workloadlab.characterization import TOPICS
        from workloadlab.sql import queries

        rows = []
        for topic in TOPICS:
            named = ", ".join(query.name for query in queries() if query.topic == topic.name)
            rows.append((topic.name, f"{topic.about}; SQL: {named}" if named else topic.about))
        with formatter.section("Topics"):
            formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


@click.command("characterize", cls=ListsTopics)
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=Output(), help="JSON to write.")
@click.option(
    "--model",
    metavar="NAME",
    shell_complete=MODEL,
    help="Latency model, by name or path: adds phase costs.",
)
@click.option("--lru-blocks", metavar="N,N,...", help="Cache sizes in blocks for prefix reuse.")
@click.option(
    "--row-limit",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="Measure a trace of more rows part by part, in flat memory; default 5 million.",
)
@memory_option(
    "Memory that its data may use, such as 4GB; a trace that takes more is measured in parts."
)
@engine_option("Who measures the parts of a trace")
@address_option
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="REFERENCE",
    help="Compare TRACE with this trace instead: what has drifted.",
)
@json_option
def command(
    trace: Path,
    out: Path | None,
    model: str | None,
    lru_blocks: str | None,
    row_limit: int | None,
    memory_limit: int | None,
    engine: str,
    address: str | None,
    against: Path | None,
    as_json: bool,
) -> None:
    """Say what the workload of TRACE is, topic by topic, integrity first."""
    from workloadlab.characterization import characterize, compare
    from workloadlab.trace import Trace, write_atomically

    sizes = _sizes(lru_blocks)
    opened = Trace.open(trace)
    if against is not None:
        if model or sizes or row_limit or memory_limit or address:
            raise UsageError(
                "--against takes no --model, --lru-blocks, --row-limit, --memory-limit or --address",
                fix="leave them out",
            )
        reference = Trace.open(against)
        with working("Comparing"):
            comparison = compare(reference, opened)
        if out:
            with write_atomically(out) as temporary:
                temporary.write_text(comparison.to_json(), encoding="utf-8")
            say(f"comparison written to {out}")
        click.echo(comparison.to_json() if as_json else str(comparison))
        return
    latency = None
    if model:
        from workloadlab.latency import LatencyModel

        latency = LatencyModel.load(model)
    with working("Characterizing"):
        profile = characterize(
            opened, latency, lru_blocks=sizes, row_limit=row_limit, engine=engine,
            address=address, memory_limit=memory_limit,
        )  # fmt: skip
    if out:
        profile.save(out)
        say(f"profile written to {out}")
    click.echo(profile.to_json() if as_json else str(profile))


def _sizes(words: str | None) -> list[int] | None:
    if words is None:
        return None
    try:
        sizes = [int(word.replace("_", "")) for word in words.split(",") if word.strip()]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise UsageError(
            f"--lru-blocks {words!r} is no list of sizes", fix="write --lru-blocks 1000,5000"
        )
    return sizes
