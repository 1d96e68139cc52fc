"""Run tests on the lowest versions that pyproject.toml allows.

`make test-lowest`; `python tests/packaging/lowest.py FOLDER TESTS...` for some tests only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENT = re.compile(r"([\w.-]+)>=([\d.]+)$")


def lowest(requirements: list[str]) -> list[str]:
    """Return each requirement as its lowest version: of `8.2` the latest `8.2.x`."""
    found = [REQUIREMENT.fullmatch(line) for line in requirements]
    pairs = [match.groups() for match in found if match]
    return [
        f"{name}=={version}" + (".*" if version.count(".") < 2 else "") for name, version in pairs
    ]


def declared() -> list[str]:
    """Return what the package and its development need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def main() -> None:
    folder, tests = Path(sys.argv[1]), sys.argv[2:]
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    limits = folder / "lowest.txt"
    limits.write_text("\n".join(lowest(declared())) + "\n")
    install = ["-m", "pip", "install", "--quiet", "-e", f"{ROOT}[dev]", "-c", limits]
    subprocess.run([python, *install], check=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", *tests], cwd=ROOT, check=False
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
