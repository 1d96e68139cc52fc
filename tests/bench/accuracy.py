"""Replay every real run in reach and write docs/accuracy.md with its figure.

    python tests/bench/accuracy.py [--out docs/accuracy.md]

Needs the folder of real runs, WORKLOADLAB_DATA.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from support.accuracy.page import write_figure, write_page
from support.accuracy.studies import studies

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run every study; print the page's path."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "accuracy.md")
    out = parser.parse_args().out
    data = Path(os.environ.get("WORKLOADLAB_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        print(f"no real runs: {data} does not exist (set WORKLOADLAB_DATA)", file=sys.stderr)
        return 2
    out.parent.mkdir(parents=True, exist_ok=True)
    found = studies(data)
    write_figure(out.with_suffix(".svg"), found)
    write_page(out, found)
    print(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
