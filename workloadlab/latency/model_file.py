"""Reads the JSON form of a latency model field by field, naming the one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError
from workloadlab.latency.card import ErrorCard, ErrorSlice
from workloadlab.latency.domain import DOMAIN_FEATURES, KINDS, Domain

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_model"]

_SAVE_AGAIN = "undo the edit, or fit and save the model again"


def parse_model(facts: Mapping[str, Any], *, version: int, where: str) -> dict[str, Any]:
    """Return the arguments of `LatencyModel` from its JSON form.

    Raises:
        DataError: another format or version, or a field is missing or invalid.
    """
    if not isinstance(facts, dict) or facts.get("format") != "workloadlab latency model":
        raise DataError("is not a latency model", where=where, fix="make one: workloadlab fit")
    if facts.get("format_version") != version:
        raise DataError(
            f"has format version {facts.get('format_version')}; this version reads {version}",
            where=where,
            fix="fit the samples again with this version",
        )
    take = _Fields(facts, where)
    estimator = take("estimator", str)
    if estimator != "linear":
        raise take.wrong("estimator", estimator, "the only estimator is 'linear'")
    tp = take("tp", int)
    if tp < 1:
        raise take.wrong("tp", tp, "write the number of GPUs, 1 or more")
    return {
        "name": take("name", str),
        "estimator": estimator,
        "gpu": take("gpu", str),
        "model": take("model", str),
        "tp": tp,
        "dtype": take("dtype", (str, type(None))),
        "provenance": take("provenance", dict),
        "system": take("system", dict),
        "card": _card(take("card", (dict, type(None))), take),
        "domain": _domain(take("domain", (dict, type(None))), take),
        "coefficients": _coefficients(take("coefficients", dict), take),
    }


class _Fields:
    """Takes fields of one JSON object by name and type."""

    def __init__(self, facts: dict[str, Any], where: str) -> None:
        self.facts, self.where = facts, where

    def __call__(self, name: str, types: type | tuple[type, ...]) -> Any:
        if name not in self.facts:
            raise DataError(f"lacks the field {name}", where=self.where, fix=_SAVE_AGAIN)
        value = self.facts[name]
        if not isinstance(value, types) or isinstance(value, bool):
            raise self.wrong(name, value)
        return value

    def wrong(self, name: str, value: object, fix: str = _SAVE_AGAIN) -> DataError:
        shown = repr(value)
        return DataError(f"field {name} is {shown[:60]}", where=self.where, fix=fix)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < float("inf")  # false for NaN too
    )


def _coefficients(given: dict[str, Any], take: _Fields) -> dict[str, float]:
    from workloadlab.latency.linear import TERMS

    for name in TERMS:
        if name not in given:
            raise DataError(
                f"lacks the field coefficients.{name}", where=take.where, fix=_SAVE_AGAIN
            )
    for name, value in given.items():
        if name not in TERMS:
            raise take.wrong(f"coefficients.{name}", value, "no such term; remove it")
        if not _is_number(value) or value < 0:
            raise take.wrong(f"coefficients.{name}", value, "write seconds per unit, 0 or more")
    return {name: float(given[name]) for name in TERMS}


def _domain(boxes: dict[str, Any] | None, take: _Fields) -> Domain | None:
    if boxes is None:
        return None
    for kind, box in boxes.items():
        if kind not in KINDS or not isinstance(box, dict) or set(box) != set(DOMAIN_FEATURES):
            raise take.wrong(f"domain.{kind}", box)
        for name, bounds in box.items():
            pair = isinstance(bounds, list | tuple) and len(bounds) == 2
            if not pair or not all(map(_is_number, bounds)) or bounds[0] > bounds[1]:
                raise take.wrong(f"domain.{kind}.{name}", bounds, "write [low, high]")
    return Domain(
        {
            kind: {name: (float(box[name][0]), float(box[name][1])) for name in DOMAIN_FEATURES}
            for kind, box in boxes.items()
        }
    )


def _card(card: dict[str, Any] | None, take: _Fields) -> ErrorCard | None:
    if card is None:
        return None
    slices = card.get("slices")
    fields, parts = set(ErrorCard.__dataclass_fields__), set(ErrorSlice.__dataclass_fields__)
    if set(card) != fields or not isinstance(slices, list) or not slices:
        raise take.wrong("card", card)
    for index, part in enumerate(slices):
        if not isinstance(part, dict) or set(part) != parts:
            raise take.wrong(f"card.slices[{index}]", part)
        for name in ("rows", "mape", "bias", "p95"):
            if not _is_number(part[name]):
                raise take.wrong(f"card.slices[{index}].{name}", part[name], "write a number")
    return ErrorCard.from_dict(card)
