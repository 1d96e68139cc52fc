"""Every command of the README, the docs and the help runs; what takes minutes is parsed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from workloadlab.cli.examples import EXAMPLES
from workloadlab.cli.main import VERBS, LazyVerbs, cli, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "tutorial.md", *(ROOT / "docs").glob("*/*.md")]
WITH_COMMANDS = sorted(page for page in PAGES if "```console" in page.read_text())
MINUTES = {"calibrate", "measure", "train", "plan"}
"""Verbs that search or measure: their words are parsed, their work is tested elsewhere."""

NEED_A_FILE = {"steps.parquet", "my.csv", "prod.trace", "router.json", "prod-1"}
"""Files that stand for the reader's own."""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str) -> list[str]:
    """Return the commands of console blocks, those over several lines joined."""
    joined = (block.replace("\\\n", " ") for block in blocks(text, "console"))
    return [line[2:] for block in joined for line in block.splitlines() if line.startswith("$ ")]


def is_parsed_only(words: list[str]) -> bool:
    return words[1] in MINUTES or bool(NEED_A_FILE & set(words[2:]))


def redirected(command: str) -> tuple[str, str]:
    """Return a command and the file that its output goes to."""
    found = re.fullmatch(r"(.*?)(?: >>? ([\w./~-]+))?", command, re.DOTALL)
    assert found
    return found[1], found[2] or ""


def run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command of a page in this folder, with `> FILE` as a shell has it."""
    command, target = redirected(command)
    words = shlex.split(command, comments=True)
    assert words[0] == "workloadlab"
    if is_parsed_only(words):
        parse(words)
        return
    with pytest.raises(SystemExit) as ended:
        main(words[1:])
    said = capsys.readouterr()
    assert ended.value.code in ((0, 1) if "--fail-on" in words else (0,)), f"{command}\n{said.err}"
    if target:
        Path(target).write_text(said.out)


def parse(words: list[str]) -> None:
    """Read words as the verb does, without its work."""
    assert isinstance(cli, LazyVerbs)
    verb = cli.get_command(click.Context(cli), words[1])
    assert verb is not None
    verb.make_context(words[1], list(words[2:]))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(page, folder, capsys):
    text = page.read_text()
    for block in blocks(text, "python"):
        if block.startswith("# my_router.py"):
            (folder / "my_router.py").write_text(block)
    for block in blocks(text, "toml"):
        if named := re.match(r"# (\w+\.toml)\n", block):
            (folder / named[1]).write_text(block)
    for command in commands(text):
        run(command, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_a_page_names_can_be_parsed(page):
    for line in re.findall(r"^(?:\$ )?(workloadlab (?:\\\n|.)*)$", page.read_text(), re.MULTILINE):
        words = shlex.split(redirected(line.replace("\\\n", " "))[0])
        if len(words) > 1 and words[1] in VERBS and not {"...", "TRACE", "NAME"} & set(words):
            parse(words)


def test_the_python_of_the_readme_runs(folder):
    text = (ROOT / "README.md").read_text()
    [session] = [block for block in blocks(text, "python") if "wl.ingest" in block]
    names: dict[str, object] = {}
    exec(compile(session, "README.md", "exec"), names)
    assert "round_robin" in str(names["board"])


def test_the_examples_of_the_help_run(folder, capsys):
    for verb in VERBS:
        for example in EXAMPLES[verb]:
            if verb not in ("demo", "completion"):
                run(example, capsys)
        main_help(verb, capsys)


def main_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown = re.sub(r" \\\n +", " ", capsys.readouterr().out)
    assert all(example in shown for example in EXAMPLES[verb])


def test_links_lead_somewhere():
    for page in [*PAGES, ROOT / "docs" / "README.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_line_of_the_readme_is_long():
    assert [line for line in (ROOT / "README.md").read_text().splitlines() if len(line) > 100] == []
