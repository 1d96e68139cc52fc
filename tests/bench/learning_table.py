"""Train routers in every setting, test them against the shelf, and write docs/learning.md.

    python tests/bench/learning_table.py [--out docs/learning.md] [--folder FOLDER] [--minutes 60]

Needs the folder of shared data, WORKLOADLAB_DATA. What is done lies in the folder, and another call goes
on there. The page says which cells are missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

from support.study.cells import heuristics, search, train
from support.study.page import page
from support.study.results import METHODS
from support.study.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]


def tasks(data: Path, folder: Path):
    """Everything to do, what matters most first."""
    for name in SETTINGS:
        yield f"{name}: the shelf", partial(heuristics, name, data, folder)
        for method in METHODS[:2]:
            yield f"{name}: {method}", partial(train, name, method, data, folder)
    for name in SETTINGS:
        yield f"{name}: search in hindsight", partial(search, name, data, folder)
    for name in SETTINGS:
        yield f"{name}: {METHODS[2]}", partial(train, name, METHODS[2], data, folder)


def main() -> int:
    """Run the study for so long, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "learning.md")
    parser.add_argument("--folder", type=Path, default=ROOT / "tests" / "bench" / "learning-study")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    asked = parser.parse_args()
    data = Path(os.environ.get("WORKLOADLAB_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        print(f"no traces: {data} does not exist (set WORKLOADLAB_DATA)", file=sys.stderr)
        return 2
    begin = time.monotonic()
    for said, task in tasks(data, asked.folder):
        if time.monotonic() - begin > 60 * asked.minutes:
            break
        print(said, f"{time.monotonic() - begin:.0f} s", flush=True)
        task()
    asked.out.write_text(page(asked.folder), "utf-8")
    print(asked.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
