"""`python -m workloadlab` and `workloadlab` are the command line."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interrupt that comes before it can speak ends without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from workloadlab.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
