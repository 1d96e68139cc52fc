"""Why a router cannot be compiled, in the words of its author: the line and the construct."""

from __future__ import annotations

import dis
import linecache
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.routing.signals import INSTANCE_FIELDS, REQUEST_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compile_error"]

ALLOWED = "use numbers, loops, branches and the fields of the request and instance records"


def compile_error(name: str, function: Callable[..., Any], error: Exception) -> UsageError:
    """Return what to raise for a router that numba refused.

    The line is numba's if it names one of the function, else the one that uses what it complains of.
    """
    said, fix = _said(error)
    line = _line_named(function, str(error)) or _line_using(function, str(error))
    path, first = function.__code__.co_filename, function.__code__.co_firstlineno
    written = linecache.getline(path, line).strip() if line else ""
    return UsageError(
        f"router {name!r} cannot be compiled: {said}" + (f", in `{written}`" if written else ""),
        where=f"{path}:{line or first}",
        fix=fix,
    )


def _said(error: Exception) -> tuple[str, str]:
    """Return numba's complaint in one line, and what to do."""
    if isinstance(error, KeyError):
        field = str(error.args[0])
        for of, known in (("the request", REQUEST_FIELDS), ("an instance", INSTANCE_FIELDS)):
            if field in known:
                fix = "the request comes first: def NAME(request, instance)"
                return f"{field!r} is a field of {of}, and read from the other", fix
        fields = [*REQUEST_FIELDS, *INSTANCE_FIELDS]
        fix = did_you_mean(field, fields, all_of_them="workloadlab replay --list-signals")
        return f"no record has a field {field!r}", fix
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "Failed in" not in line), type(error).__name__)
    returned = re.match(r"No conversion from (.+) to (\w+) for '\$\S*return", said)
    if returned:
        return f"it returns {returned[1]}", f"return a number ({returned[2]}) on every path"
    return re.sub(r"[.\s]*Raised from .*$", "", said).rstrip("."), ALLOWED


def _line_named(function: Callable[..., Any], text: str) -> int | None:
    """Return the first line of the function's own file that numba points at."""
    file = Path(function.__code__.co_filename).name
    for path, number in re.findall(r'File "([^"]+)", line (\d+)', text):
        if Path(path).name == file:
            return int(number)
    found = re.search(rf"Raised from \S*{re.escape(file)} \((\d+)\)", text)
    return int(found[1]) if found else None


def _line_using(function: Callable[..., Any], text: str) -> int | None:
    """Return the first line that uses a name quoted in the complaint, or opens the block it is about."""
    quoted = set(re.findall(r"'(\w+)", text))
    for step in dis.get_instructions(function):
        uses = step.argval in quoted and step.opname.startswith(("LOAD_ATTR", "LOAD_GLOBAL"))
        if step.positions and (uses or ("WITH" in step.opname and "with" in quoted)):
            return step.positions.lineno
    return None
