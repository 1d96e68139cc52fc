"""Reads the JSON form of a latency model field by field, naming the one that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workloadlab.errors import DataError
from workloadlab.fields import Fields, is_number
from workloadlab.latency.card import POINT, ErrorCard, ErrorSlice
from workloadlab.latency.domain import DOMAIN_FEATURES, Domain
from workloadlab.latency.envelope import Drift, Envelope, parse_drift, parse_envelope
from workloadlab.latency.estimators.registry import ESTIMATORS
from workloadlab.latency.intervals import Intervals
from workloadlab.latency.step import KINDS
from workloadlab.latency.step_terms import NO_TERMS, parse_terms
from workloadlab.shapes import ShapeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["json_text", "parse_card", "parse_model"]


def parse_model(
    facts: Mapping[str, Any], *, versions: Collection[int], where: str
) -> dict[str, Any]:
    """Return the arguments of `LatencyModel` from its JSON form.

    Raises:
        DataError: another format or version, or a field is missing or invalid.
    """
    if not isinstance(facts, dict) or facts.get("format") != "workloadlab latency model":
        raise DataError("is not a latency model", where=where, fix="make one: workloadlab fit")
    if facts.get("format_version") not in versions:
        raise DataError(
            f"has format version {facts.get('format_version')}; this version reads "
            f"{' and '.join(map(str, versions))}",
            where=where,
            fix="fit the samples again with this version",
        )
    take = Fields(facts, where)
    estimator = take("estimator", str)
    if estimator not in ESTIMATORS:
        raise take.wrong("estimator", estimator, f"write one of {', '.join(ESTIMATORS)}")
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
        "card": parse_card(take("card", (dict, type(None))), take),
        "domain": _domain(take("domain", (dict, type(None))), take),
        "intervals": _intervals(take) if facts.get("intervals") is not None else None,
        "terms": parse_terms(take.inside("terms")) if "terms" in facts else NO_TERMS,
        "coefficients": ESTIMATORS[estimator].parse(take.inside("coefficients")),
    }


def json_text(value: Any, indent: str = "\n") -> str:
    """Write JSON one field per line, and lists of numbers on one line."""
    if isinstance(value, dict) and value:
        inner = (f"{json.dumps(key)}: {json_text(v, indent + ' ')}" for key, v in value.items())
        ends = "{}"
    elif isinstance(value, list | tuple) and any(isinstance(v, dict | list | tuple) for v in value):
        inner, ends = (json_text(v, indent + " ") for v in value), "[]"
    else:
        return json.dumps(value)
    return f"{ends[0]}{indent} {f',{indent} '.join(inner)}{indent}{ends[1]}"


def _intervals(take: Fields) -> Intervals | Envelope | Drift:
    inside = take.inside("intervals")
    if "beside_prompt_s" in inside.facts:
        return parse_envelope(inside)
    if "high" in inside.facts:
        return parse_drift(inside)
    levels = inside.numbers("levels", low=0.0, rising=True)
    ratios = inside.inside("ratios")
    ratios.only(("all", *KINDS))
    return Intervals(
        levels=tuple(levels),
        ratios={
            kind: tuple(ratios.numbers(kind, count=len(levels), low=0.0))
            for kind in ("all", *KINDS)
            if kind in ratios.facts or kind == "all"
        },
    )


def _domain(boxes: dict[str, Any] | None, take: Fields) -> Domain | None:
    if boxes is None:
        return None
    for kind, box in boxes.items():
        if kind not in KINDS or not isinstance(box, dict) or set(box) != set(DOMAIN_FEATURES):
            raise take.wrong(f"domain.{kind}", box)
        for name, bounds in box.items():
            pair = isinstance(bounds, list | tuple) and len(bounds) == 2
            if not pair or not all(map(is_number, bounds)) or bounds[0] > bounds[1]:
                raise take.wrong(f"domain.{kind}.{name}", bounds, "write [low, high]")
    cells = take.inside("density") if "density" in take.facts else Fields({}, take.where)
    cells.only(boxes)
    return Domain(
        {
            kind: {name: (float(box[name][0]), float(box[name][1])) for name in DOMAIN_FEATURES}
            for kind, box in boxes.items()
        },
        {kind: tuple(cells.whole_numbers(kind, low=0, below=2**40)) for kind in cells.facts},
    )


def parse_card(card: dict[str, Any] | None, take: Fields) -> ErrorCard | None:
    """Read an error card from JSON."""
    if card is None:
        return None
    slices = card.get("slices")
    fields, parts = set(ErrorCard.__dataclass_fields__), set(ErrorSlice.__dataclass_fields__)
    if set(card) | {"points"} != fields or not isinstance(slices, list) or not slices:
        raise take.wrong("card", card)
    for index, part in enumerate(slices):
        if not isinstance(part, dict) or set(part) != parts:
            raise take.wrong(f"card.slices[{index}]", part)
        for name in ("rows", "mape", "bias", "p95"):
            if not is_number(part[name]):
                raise take.wrong(f"card.slices[{index}].{name}", part[name], "write a number")
    _check_points(card.get("points", []), take)
    try:
        return ErrorCard.from_dict(card)
    except ShapeError as error:
        raise DataError(f"field {error}", where=take.where, fix="fit the model again") from error


def _check_points(points: Any, take: Fields) -> None:
    """Refuse points of a card that are not steps with durations."""
    if not isinstance(points, list):
        raise take.wrong("card.points", points, "write a list, or remove the field")
    for index, point in enumerate(points):
        name = f"card.points[{index}]"
        numbers = take.checked(name, point, count=len(POINT), low=0.0)
        if not (numbers[4] > 0 and numbers[0] + numbers[2] > 0):
            raise take.wrong(name, point, f"write {', '.join(POINT)} of a step that was measured")
