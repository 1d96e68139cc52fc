"""What the README shows is what the commands print."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from workloadlab.cli.main import main
from workloadlab.simulation import Cluster

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
CLUSTER_PAGE = ROOT / "docs" / "how-to" / "cluster-file.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def sessions():
    for block in blocks("console"):
        for part in block.replace("\\\n", " ").split("$ ")[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown.rstrip()


def test_commands_print_what_is_shown(tmp_path, monkeypatch, capsys):
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    (tmp_path / "my_router.py").write_text(next(b for b in blocks("python") if "my_router.py" in b))
    monkeypatch.chdir(tmp_path)
    shown_commands = list(sessions())
    assert len(shown_commands) >= 3
    for command, shown in shown_commands:
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(command)[1:])
        printed = capsys.readouterr().out
        assert ended.value.code == 0
        assert printed.rstrip() == shown


def test_the_cluster_file_of_the_docs_loads(tmp_path):
    [text] = re.findall(r"```toml\n(.*?)```", CLUSTER_PAGE.read_text(), flags=re.DOTALL)
    (tmp_path / "cluster.toml").write_text(text)
    pool = Cluster.load(tmp_path / "cluster.toml").pools[0]
    facts = tomllib.loads(text)["pool"][0]
    assert all(getattr(pool, key) == value for key, value in facts.items() if key != "latency")


def test_it_counts_the_formats_as_the_registry_does():
    import workloadlab as wl

    [tens] = re.findall(r"Over (\d+0) formats are known", README)
    assert int(tens) < len(wl.formats()) <= int(tens) + 20


def test_every_command_it_names_exists():
    from workloadlab.cli.main import VERBS

    named = set(re.findall(r"(?:[`(]|\$ |&& )workloadlab ([a-z]+)", README))
    assert len(named) >= 5
    assert named <= set(VERBS)
