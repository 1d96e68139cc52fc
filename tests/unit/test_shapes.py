"""Facts from plain data, held against a reading that looks at the type of every value anew."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloadlab.characterization.facts import Finding
from workloadlab.shapes import ShapeError, build


@dataclass(frozen=True)
class Leaf:
    share: float
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Tree:
    name: str
    sizes: tuple[int, ...] = ()
    pair: tuple[int, float] = (0, 0.0)
    leaves: dict[str, Leaf] = field(default_factory=dict)
    best: Leaf | None = None
    either: Leaf | float | None = None
    child: Tree | None = None
    sure: bool = False
    any: Any = None


KINDS = (
    Tree, Leaf, list[Leaf], dict[str, tuple[int, ...]], int | str, float | None, tuple[int, float], list,
    dict, Any, Literal[1, "x"],
)  # fmt: skip


def plainly(kind: Any, value: Any, place: str) -> Any:
    """Return what `build` returns, or a sentence about what is wrong first."""
    outer, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if outer is UnionType:
        if value is None and NoneType in inner:
            return None
        tried = [plainly(one, value, place) for one in inner if one is not NoneType]
        return next((one for one in tried if not isinstance(one, Wrong)), tried[0])
    if outer is Literal:
        words = ", ".join(map(str, inner))
        return value if value in inner else wrong(place, value, f"one of {words}")
    if is_dataclass(kind):
        return of_class(kind, value, place)
    if (outer or kind) is dict:
        if not isinstance(value, dict):
            return wrong(place, value, "an object")
        of = inner[1] if inner else Any
        found = {k: plainly(of, v, f"{place}.{k}" if place else k) for k, v in value.items()}
        return first_wrong(found.values()) or found
    if (outer or kind) in (list, tuple):
        return of_list(outer or kind, inner, value, place)
    fits = {
        float: isinstance(value, int | float) and not isinstance(value, bool)
        and abs(value) < (2**64 if isinstance(value, int) else float("inf")),
        int: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64,
        str: isinstance(value, str), bool: isinstance(value, bool),
    }  # fmt: skip
    words = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    return value if fits[kind] else wrong(place, value, words[kind])


class Wrong(str):
    """What is wrong, in words."""


def wrong(place: str, value: Any, wanted: str) -> Wrong:
    if isinstance(value, int) and abs(value) >= 2**64:
        shown = "a number of more than 19 digits"
    else:
        many = isinstance(value, dict | list | tuple)
        shown = type(value).__name__ if many else repr(value)[:60]
    return Wrong(f"{place or 'it'} is {shown}, not {wanted}")


def first_wrong(values: Any) -> Wrong | None:
    return next((value for value in values if isinstance(value, Wrong)), None)


def of_class(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        return wrong(place, value, "an object")
    found, hints = {}, get_type_hints(kind)
    for each in fields(kind):
        inside = f"{place}.{each.name}" if place else each.name
        if each.name in value:
            found[each.name] = plainly(hints[each.name], value[each.name], inside)
        elif each.default is MISSING and each.default_factory is MISSING:
            found[each.name] = Wrong(f"{inside} is missing")
    return first_wrong(found.values()) or kind(**found)


def of_list(kind: Any, inner: Any, value: Any, place: str) -> Any:
    if not isinstance(value, list | tuple):
        return wrong(place, value, "a list")
    if len(inner) > 1 and inner[-1] is not ...:
        if len(value) != len(inner):
            return wrong(place, value, f"a list of {len(inner)}")
    else:
        inner = (inner[0] if inner else Any,) * len(value)
    found = [
        plainly(of, v, f"{place}[{k}]") for k, (of, v) in enumerate(zip(inner, value, strict=True))
    ]
    return first_wrong(found) or kind(found)


names = st.sampled_from([each.name for each in fields(Tree)] + ["share", "kind", "x"])
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -3, 2**64, 0.5, float("inf"), "a", "b", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)
leaf = st.fixed_dictionaries(
    {"share": st.just(0.5) | plain}, optional={"kind": st.just("b") | plain}
)
tree = st.fixed_dictionaries(
    {"name": st.just("a") | plain},
    optional={
        "sizes": st.lists(st.just(1) | plain, max_size=3), "pair": st.just([1, 0.5]) | plain,
        "leaves": st.dictionaries(st.sampled_from("ab"), leaf, max_size=2) | plain,
        "best": leaf | plain, "either": leaf | plain, "child": plain, "sure": plain, "any": plain,
    },
)  # fmt: skip


@given(st.sampled_from(KINDS), tree | leaf | plain, st.sampled_from(["", "here"]))
def test_a_value_and_an_error_are_those_of_the_plain_reading(kind, value, place):
    wanted = plainly(kind, value, place)
    if isinstance(wanted, Wrong):
        with pytest.raises(ShapeError) as caught:
            build(kind, value, place)
        assert str(caught.value) == wanted
    else:
        assert build(kind, value, place) == wanted


def test_a_class_that_reads_itself_names_the_place_from_outside():
    found = {"code": "a", "severity": "info", "message": 3}
    with pytest.raises(ShapeError, match=r"^topics\[1\]\.message is 3, not text$"):
        build(dict[str, list[Finding]], {"topics": [{**found, "message": "one"}, found]})
