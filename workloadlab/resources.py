"""Where the files that ship beside the code are: in a checkout, or inside an installed package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["folder"]

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder `queries` or `traces`.

    A checkout keeps them at its top; a wheel carries them as `_queries` and `_traces`.
    """
    inside = PACKAGE / f"_{name}"
    return inside if inside.is_dir() else PACKAGE.parent / name
