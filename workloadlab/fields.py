"""Takes fields of JSON objects one by one, naming the one that is wrong."""

from __future__ import annotations

from numbers import Integral
from sys import float_info
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Fields", "is_number", "is_whole"]

LARGEST = float_info.max
_SAVE_AGAIN = "undo the edit, or make and save the file again"


class Fields:
    """One JSON object of a file.

    Args:
        facts: the object.
        where: the file.
        path: names of the objects around it, with a dot after each.
    """

    def __init__(self, facts: dict[str, Any], where: str, path: str = "") -> None:
        self.facts, self.where, self.path = facts, where, path

    def __call__(self, name: str, types: type | tuple[type, ...]) -> Any:
        """Return a field of one of some types."""
        if name not in self.facts:
            problem = f"lacks the field {self.path}{name}"
            raise DataError(problem, where=self.where, fix=_SAVE_AGAIN)
        value = self.facts[name]
        if not isinstance(value, types) or isinstance(value, bool):
            raise self.wrong(name, value)
        return value

    def wrong(self, name: str, value: object, fix: str = _SAVE_AGAIN) -> DataError:
        """Make the error that a field holds nonsense."""
        problem = f"field {self.path}{name} is {_shown(value)}"
        return DataError(problem, where=self.where, fix=fix)

    def inside(self, name: str) -> Fields:
        """Return the object in a field."""
        return Fields(self(name, dict), self.where, f"{self.path}{name}.")

    def only(self, names: Iterable[str]) -> None:
        """Refuse fields that are none of `names`."""
        known = set(names)
        for name, value in self.facts.items():
            if name not in known:
                raise self.wrong(name, value, "no such field; remove it")

    def number(self, name: str, *, low: float = -float("inf"), fix: str = _SAVE_AGAIN) -> float:
        """Return a finite number of at least `low`."""
        value = self(name, object)
        if not is_number(value) or value < low:
            raise self.wrong(name, value, fix)
        return float(value)

    def numbers(
        self,
        name: str,
        *,
        count: int | None = None,
        low: float = -float("inf"),
        rising: bool = False,
    ) -> list[float]:
        """Return a list of finite numbers, `count` of them, at least `low`, or each over the last."""
        return self.checked(name, self(name, list), count=count, low=low, rising=rising)

    def checked(
        self,
        name: str,
        values: Any,
        *,
        count: int | None = None,
        low: float = -float("inf"),
        rising: bool = False,
    ) -> list[float]:
        """Return such a list that is found within the field `name`."""
        if not isinstance(values, list):
            raise self.wrong(name, values, "write a list of numbers")
        if count is not None and len(values) != count:
            raise self.wrong(name, values, f"write {count} numbers; there are {len(values)}")
        for index, value in enumerate(values):
            if not is_number(value) or value < low:
                raise self.wrong(f"{name}[{index}]", value)
            if rising and index and value <= values[index - 1]:
                raise self.wrong(f"{name}[{index}]", value, "write each number over the last")
        return [float(value) for value in values]

    def whole_numbers(self, name: str, *, low: int, below: int) -> list[int]:
        """Return a list of whole numbers from `low` to under `below`."""
        values = self(name, list)
        for index, value in enumerate(values):
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value < below:
                raise self.wrong(f"{name}[{index}]", value)
        return list(values)


def _shown(value: object) -> str:
    """Return a value, short; Python refuses to write out a number of thousands of digits."""
    try:
        return repr(value)[:60]
    except ValueError:
        return "a number of thousands of digits"


def is_number(value: object) -> bool:
    """Say whether a JSON value is a finite number."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= LARGEST  # false for NaN too, and for integers that no float holds
    )


def is_whole(value: object, least: int) -> bool:
    """Say whether a value is a whole number, of Python or of numpy, of at least `least`.

    Example:
        >>> [is_whole(value, 1) for value in (1, 0, 1.0, "1", True)]
        [True, False, False, False, False]
    """
    return type(value) is not bool and isinstance(value, Integral) and int(value) >= least
