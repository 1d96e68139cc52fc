"""Write the versions of all libraries that development installs, with what these need in turn.

`make lock`. What else happens to be installed is left out.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# The versions that `make test` ran with, for pip install -r. Made by `make lock`.\n"


def locked() -> dict[str, str]:
    """Return name -> version, sorted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [
        Requirement(line)
        for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    ]
    found: dict[str, str] = {}
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = installed.version
        waiting += [Requirement(line) for line in installed.requires or []]
    return dict(sorted(found.items()))


def main() -> None:
    lines = [f"{name}=={version}\n" for name, version in locked().items()]
    Path(sys.argv[1]).write_text(HEAD + "".join(lines))


if __name__ == "__main__":
    main()
