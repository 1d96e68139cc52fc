"""The pages of the reference, from the registries."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from workloadlab.handbook import registries
from workloadlab.handbook.docstrings import attributes_of, first_line
from workloadlab.handbook.situations import SITUATIONS
from workloadlab.trace import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import polars as pl

__all__ = ["PAGES", "pages", "write_pages"]

MADE = "<!-- Made from the registries by `make docs`. Do not edit. -->"


COLUMNS_READ = (
    "`--map COLUMN=FIELD` takes these names; times also without `_ns`. Only `arrival_ns` and "
    "`input_tokens` must be there. null means not recorded, 0 means measured zero."
)
WORDS_READ = (
    "A key of the log in quotes, or one of these words. Where a word is of a key, it may be of another "
    "word. Times take a `unit`: s, ms, us, ns, min, h or datetime."
)
TREE_READ = (
    "The columns are those of a [trace](columns.md); `_id` and `_parent` say beside them which rows lie "
    "in one another."
)
PROFILE_READ = (
    "The keys of `workloadlab characterize --json`. A topic that the trace cannot support is "
    '`{"unsupported": REASON}`.'
)


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    made = {name: f"{MADE}\n\n# {title}\n\n{page()}\n" for name, (title, page) in PAGES.items()}
    index = "\n".join(f"- [{title}]({name})" for name, (title, _) in PAGES.items())
    return {"README.md": f"{MADE}\n\n# Reference\n\n{index}\n", **made}


def write_pages(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        with write_atomically(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _routers() -> str:
    said = [
        "`workloadlab replay --list-routers` and `wl.routers()` have the same list.",
        "## Try this first",
        _table(
            ("you have", "try", "because"),
            [(where, ", ".join(f"`{n}`" for n in names), why) for where, names, why in SITUATIONS],
        ),
    ]
    frame = registries.routers()
    for family in frame["family"].unique(maintain_order=True):
        part = frame.filter(frame["family"] == family)
        rows = [(f"`{r['name']}`", r["formula"], r["needs"], r["source"]) for r in part.to_dicts()]
        said += [f"## {family}", _table(("router", "what it does", "needs", "source"), rows)]
    return "\n\n".join(said)


def _signals() -> str:
    rows = [
        (f"`{r['record']}.{r['name']}`", r["kind"], r["unit"], r["meaning"])
        for r in registries.signals().to_dicts()
    ]
    words = "What a router may read. Kinds: own counters are immediate; reports have an age."
    return f"{words}\n\n{_table(('signal', 'kind', 'unit', 'meaning'), rows)}"


def _formats() -> str:
    from workloadlab.exchange import TARGETS

    read = [(f"`{r['name']}`", r["title"], r["files"]) for r in registries.formats().to_dicts()]
    written = [(f"`{t.name}`", t.title, t.kind, t.run) for t in TARGETS]
    return "\n\n".join(
        [
            "## Read by `workloadlab ingest`",
            "A format is found by its keys; `--format NAME` names one.",
            _table(("format", "what it is", "files"), read),
            "## Written by `workloadlab export`",
            _table(("format", "tool", "file", "how it is read there"), written),
            "What a trace records and a format has no key for is listed by `export` each time.",
        ]
    )


def _mapping() -> str:
    from workloadlab.ingestion.mapping import EXAMPLE, FACTS, WORDS

    words = [(f"`{name}`", word.about, f"`{word.example}`") for name, word in WORDS.items()]
    return "\n\n".join(
        [
            "`workloadlab ingest LOG --mapping my.toml` reads logs that no format here fits.",
            f"```toml\n{EXAMPLE}```",
            "## What a column is",
            WORDS_READ,
            _table(("word", "what it takes", "example"), words),
            TREE_READ,
            "## What is said of the whole log",
            _table(("key", "meaning"), [(f"`{name}`", fact.about) for name, fact in FACTS.items()]),
        ]
    )


def _columns() -> str:
    from workloadlab.trace.schema import ABOUT, CAPABILITIES, COLUMNS

    rows = [(f"`{name}`", str(dtype), ABOUT[name]) for name, dtype in COLUMNS.items()]
    able = [(f"`{name}`", ", ".join(f"`{c}`" for c in cs)) for name, cs in CAPABILITIES.items()]
    return "\n\n".join(
        [
            COLUMNS_READ,
            _table(("column", "type", "meaning"), rows),
            "## What a trace supports",
            _table(("capability", "needs"), able),
        ]
    )


def _models() -> str:
    rows = [
        (f"`{r['name']}`", r["model"], f"{r['tp']} x {r['gpu']}", r["dtype"],
         "" if r["held_out_error"] is None else f"{r['held_out_error']:.1%}")
        for r in registries.models().to_dicts()
    ]  # fmt: skip
    words = "Latency models that ship. The error is the mean on steps that the fit did not see."
    return f"{words}\n\n{_table(('name', 'model', 'on', 'dtype', 'held-out error'), rows)}"


def _queries() -> str:
    rows = [
        (f"`{r['name']}`", r["question"] or r["title"], r["topic"], r["parameters"])
        for r in registries.queries().to_dicts()
    ]
    words = (
        "`workloadlab query NAME TRACE --param KEY=VALUE`; SQL of your own: "
        "`workloadlab query --sql 'SELECT ...' TRACE`, over a table called `trace`."
    )
    return f"{words}\n\n{_table(('query', 'question', 'topic', 'parameters'), rows)}"


def _metrics() -> str:
    return _frame(registries.metrics())


def _profile() -> str:
    from dataclasses import fields, is_dataclass

    from workloadlab.characterization import TOPICS
    from workloadlab.characterization.profile import TraceFacts

    said = [
        PROFILE_READ,
        "## trace",
        _table(("key", "meaning"), _described(TraceFacts)),
    ]
    for topic in TOPICS:
        said += [f"## {topic.name}", f"{topic.about[:1].upper()}{topic.about[1:]}."]
        if is_dataclass(topic.facts):
            known = dict(attributes_of(topic.facts))
            rows = [(f"`{f.name}`", known.get(f.name, "")) for f in fields(topic.facts)]
            said.append(_table(("key", "meaning"), rows))
    return "\n\n".join(said)


def _cluster() -> str:
    from workloadlab.simulation import Cluster, Event, Pool

    parts = (
        ("The file's top", Cluster),
        ("[[pool]]", Pool),
        ("[[event]]", Event),
    )
    said = ["A cluster file is TOML; `workloadlab cluster TRACE --latency MODEL` writes one."]
    for title, cls in parts:
        said += [f"## {title}", _table(("key", "meaning"), _described(cls))]
    return "\n\n".join(said)


def _commands() -> str:
    from workloadlab.cli.examples import EXAMPLES
    from workloadlab.cli.main import EXIT_CODES, VERBS

    said = [
        "Results go to stdout, words for people to stderr. Every verb takes `--json`, `-q`, `-v`."
    ]
    for verb, about in VERBS.items():
        example = "\n".join(EXAMPLES.get(verb, ()))
        said += [f"## {verb}", f"{about}.", f"```\n{example}\n```"]
    codes = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    said += ["## Exit codes", _table(("code", "meaning"), codes)]
    return "\n\n".join(said)


def _api() -> str:
    wl = sys.modules[__name__.partition(".")[0]]
    rows = []
    for name in sorted(set(wl.__all__) - {"__version__"}, key=lambda name: (name.lower(), name)):
        thing = getattr(wl, name)
        about = first_line(thing.__call__ if name == "router" else thing)
        rows.append((f"`wl.{name}`", about))
    return "`help(wl.NAME)` has arguments, units, errors and an example.\n\n" + _table(
        ("name", "what it is"), rows
    )


PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "commands.md": ("Commands and exit codes", _commands),
    "api.md": ("Python names", _api),
    "columns.md": ("Columns of a trace", _columns),
    "formats.md": ("Log formats", _formats),
    "mapping.md": ("A mapping file", _mapping),
    "profile.md": ("Keys of a profile", _profile),
    "queries.md": ("Queries", _queries),
    "models.md": ("Latency models", _models),
    "cluster.md": ("Keys of a cluster file", _cluster),
    "routers.md": ("Routers", _routers),
    "signals.md": ("What a router sees", _signals),
    "metrics.md": ("Metrics", _metrics),
}
"""File name, title and text of every page."""


def _described(cls: type) -> list[tuple[str, str]]:
    return [(f"`{name}`", said) for name, said in attributes_of(cls)]


def _frame(frame: pl.DataFrame) -> str:
    rows = [(f"`{row[0]}`", *row[1:]) for row in frame.rows()]
    return _table(frame.columns, rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")
