"""The latency models that ship with the package: one JSON file each, named after GPU and model.

Start with any of the JSON files: a person can read its coefficients, its domain and its errors.
Then `build.py`, which writes all of them from published tables, so that none is edited by hand. The
functions below list the names and find the file of one. To add a model, add its source to
`build.py` and run it.
"""

from __future__ import annotations

from pathlib import Path

from workloadlab.arguments import file_path
from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean

__all__ = ["locate", "names"]

_HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """Names of the models that ship, sorted."""
    return sorted(path.stem for path in _HERE.glob("*.json"))


def locate(name_or_path: str | Path) -> Path:
    """Return the file of a model: a path that exists, else a name of the catalogue.

    Raises:
        UsageError: neither; the message gives the nearest names.
    """
    path = file_path("latency", name_or_path, else_="a LatencyModel")
    if path.is_file():
        return path
    name = str(name_or_path)
    if name in names():
        return _HERE / f"{name}.json"
    raise UsageError(
        f"no latency model file and no catalogue name {name!r}",
        fix=did_you_mean(name, names(), all_of_them="workloadlab fit --list"),
    )
