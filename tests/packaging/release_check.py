"""Build wheel and sdist, install each in a clean environment, and run the demo there, offline.

`make release-check`. The demo runs from an empty folder, with no network that answers: proxies lead
nowhere, and where the system allows it, the process has no network at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9"
SMOKE = """
import workloadlab as wl
assert len(wl.models()) > 20 and len(wl.queries()) > 10 and len(wl.formats()) > 30
trace = wl.Trace.open("demo-out/chat.trace")
assert len(trace) == 12_000
wl.query("rate_by_minute", trace)
assert "<svg" in trace._repr_html_()
wl.report("page.html", wl.characterize(trace))
"""


def built(folder: Path) -> list[Path]:
    """Build a wheel and an sdist of the tree."""
    builder = environment(folder / "builder", "build", "hatchling", "twine", "check-wheel-contents")
    run(builder / "python", "-m", "build", "--outdir", folder / "dist", ROOT)
    files = sorted((folder / "dist").iterdir())
    run(builder / "twine", "check", "--strict", *files)
    run(builder / "check-wheel-contents", *(path for path in files if path.suffix == ".whl"))
    return files


def environment(folder: Path, *packages: object) -> Path:
    """Make an environment with packages, and return the folder of its commands."""
    venv.create(folder, with_pip=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    run(commands / "python", "-m", "pip", "install", "--quiet", *packages)
    return commands


def run(*words: object, **options: object) -> None:
    """Run a command that must succeed."""
    without = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([str(word) for word in words], check=True, **({"env": without} | options))


def offline() -> list[str]:
    """Return what goes before a command so that it has no network; nothing where that is refused."""
    cut_off = ["unshare", "--net", "--map-root-user"]
    tool = shutil.which("unshare")
    if (
        tool
        and subprocess.run([*cut_off, "true"], capture_output=True, check=False).returncode == 0
    ):
        return cut_off
    return []


def check(artefact: Path, folder: Path) -> float:
    """Install one artefact alone and use it from an empty folder; return the seconds of the demo."""
    commands = environment(folder / "environment", artefact)
    work = folder / "empty"
    work.mkdir()
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    path = {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    alone = (
        {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | proxies | path
    )
    before = offline()
    began = time.perf_counter()
    run(*before, commands / "workloadlab", "demo", cwd=work, env=alone, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    run(*before, commands / "workloadlab", "query", "--list", cwd=work, env=alone)
    run(*before, commands / "python", "-c", SMOKE, cwd=work, env=alone)
    return took


def main() -> None:
    """Build, check each, and print how long a first demo takes."""
    with tempfile.TemporaryDirectory() as scratch:
        for number, artefact in enumerate(built(Path(scratch))):
            place = Path(scratch, f"alone-{number}")
            place.mkdir()
            took = check(artefact, place)
            print(f"{artefact.name}: ok; the first demo takes {took:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
