"""What a verb reads is not what it writes over."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["sparing_sources"]


def sparing_sources(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse, before a verb begins, to write over a file or a folder's file that it reads."""

    @wraps(callback)
    def checked(*arguments: Any, **options: Any) -> Any:
        out = options.get("out")
        if isinstance(out, Path) and out.exists():
            for name, given in options.items():
                sources = given if isinstance(given, tuple | list) else (given,)
                if name != "out" and any(_reads(source, out) for source in sources):
                    raise UsageError(
                        "is a source and would be overwritten", where=str(out),
                        fix="name another output",
                    )  # fmt: skip
        return callback(*arguments, **options)

    checked.spares_sources = True  # type: ignore[attr-defined]
    return checked


def _reads(source: object, out: Path) -> bool:
    """Say whether a value of an option names that file, or the folder of runs that holds it."""
    if not isinstance(source, str | Path) or not str(source):
        return False
    source = Path(source)
    of_runs = out.suffix == ".trace" or out.name == "manifest.json"
    held = of_runs and source.is_dir() and out.parent.resolve() == source.resolve()
    return source.exists() and (source.resolve() == out.resolve() or held)
