"""What is installed with workloadlab may be used freely, and nothing is asked of a network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|PSF|Python Software Foundation|ISC|0BSD|Zlib|Unlicense|HPND|"
    r"MPL-2|Mozilla Public License 2|CC0|matplotlib|FreeType)\b", re.I,
)  # fmt: skip
STRICT = re.compile(r"\b(A?GPL|SSPL|BUSL|Commons Clause|proprietary)", re.I)

OFFLINE = """
import socket, sys
def refused(*_, **__):
    raise AssertionError("a network was asked for")
class Closed(socket.socket):
    connect = connect_ex = sendto = refused
socket.socket = Closed
socket.create_connection = socket.getaddrinfo = refused
from workloadlab.cli.main import main
main(["demo", "--out", sys.argv[1]])
"""


def name_of(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[(]", requirement, maxsplit=1)[0]


def installed_with(names: set[str]) -> set[str]:
    """Return libraries and all that they need in turn."""
    waiting, found = set(names), set()
    while waiting:
        name = waiting.pop()
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        waiting |= {name_of(need) for need in needs if "extra ==" not in need} - found
    return found


def licence_of(name: str) -> str:
    facts = metadata(name)
    classes = [line for line in facts.get_all("Classifier") or [] if line.startswith("License")]
    return " ".join(
        [facts.get("License-Expression") or "", (facts.get("License") or "")[:200], *classes]
    )


def test_every_library_has_a_permissive_licence():
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    libraries = installed_with({name_of(line) for line in declared["dependencies"]})
    assert len(libraries) > len(declared["dependencies"])
    unclear = {
        name: licence_of(name)
        for name in sorted(libraries)
        if not PERMISSIVE.search(licence_of(name)) or STRICT.search(licence_of(name))
    }
    assert unclear == {}


def test_the_demo_asks_for_no_network(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").is_dir()
