"""JSON objects in files, read whole: what is cut, too deep or no object is a sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_object"]

MOST_BYTES = 1 << 30


def read_object(path: Path, *, fix: str) -> dict[str, Any]:
    """Return the JSON object in a file.

    Args:
        path: an existing file.
        fix: what to do where it cannot be read.

    Raises:
        DataError: not text, not JSON, cut short, nested too deeply, or another kind of value.

    Example:
        >>> from pathlib import Path; from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.json").write_text('{"a": 1}')
        ...     read_object(Path(folder, "a.json"), fix="write it again")
        {'a': 1}
    """
    if path.stat().st_size > MOST_BYTES:
        raise DataError("is over 1 GiB of JSON", where=str(path), fix=fix)
    try:
        facts = json.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError("is not JSON: it is not text in UTF-8", where=str(path), fix=fix) from error
    except ValueError as error:
        reason = str(error).split(";")[0]  # Python's hint about long integers is for programmers
        raise DataError(f"is not JSON, or cut off: {reason}", where=str(path), fix=fix) from error
    except RecursionError as error:
        raise DataError("is nested too deeply", where=str(path), fix=fix) from error
    if not isinstance(facts, dict):
        raise DataError("is not a JSON object", where=str(path), fix=fix)
    return facts
