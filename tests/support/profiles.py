"""Two profiles of one trace: where they differ, by the path of each number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ESTIMATED", "differences", "numbers"]

ESTIMATED = {
    r"/arrivals/iat_s/p\d+": 2.0**-10,
    r"/lengths/(input|output)/over_time/(p50/\d+|median_ratio)": 2.0**-9,
    r"/tenants/parties/\w+/largest/\d+/(input|output)_p50": 2.0**-10,
    r"/service_levels/.*/\w+_s/p\d+": 2.0**-9,
    r"/service_levels/worst_window/p90_s": 2.0**-9,
    r"/service_levels/.*/tpot_s/(mean|p\d+)": 2.0**-9,
    r"/sessions/(pauses_s/\w+|live/lifetime_s)/p\d+": 2.0**-10,
    r"/agentic/tool_time/seconds/p\d+": 2.0**-10,
    r"/concurrency/tokens/p\d+": 2.0**-10,
    r"/drift/change_points/\d+/(before|after)": 2.0**-10,
}
"""By path, how far a trace measured in parts may be off; see `bounded.ESTIMATES`."""

UNLIKE = (
    r"/trace/(parts|estimates.*)",
    r"/arrivals/(fits|iat_ccdf)/.*",
    r"/(prefix|phases)/.*",
)
"""What is not compared number by number."""


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every scalar of plain data with its path."""
    if not isinstance(value, dict | list):
        yield path, value
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield from numbers(item, f"{path}/{key}")


def differences(exact: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the paths at which a profile is further from the exact one than it says.

    Sums in another order may round otherwise, so floats agree within 1e-9.

    Example:
        >>> differences({"a": [1, 2.0]}, {"a": [1, 2.1]})
        {'/a/1': (2.0, 2.1)}
    """
    a, b = dict(numbers(exact)), dict(numbers(other))
    found = {}
    for path in sorted({*a, *b}):
        if any(re.fullmatch(pattern, path) for pattern in UNLIKE):
            continue
        x, y = a.get(path, "absent"), b.get(path, "absent")
        if not _close(x, y, path):
            found[path] = (x, y)
    return found


def _close(x: Any, y: Any, path: str) -> bool:
    if x == y:
        return True
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in (x, y)):
        return False
    allowed = next((r for p, r in ESTIMATED.items() if re.fullmatch(p, path)), 1e-9)
    if isinstance(x, int) and isinstance(y, int) and allowed == 1e-9:
        return False
    return bool(abs(x - y) <= allowed * max(abs(x), abs(y)) + 1e-12)
