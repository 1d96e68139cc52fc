"""A learned router as a file: what it was made of, what it was trained in, and how good it was there."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import file_path
from workloadlab.digests import check_object, sealed
from workloadlab.errors import DataError, UsageError
from workloadlab.fields import Fields
from workloadlab.json_files import read_object
from workloadlab.routing.learned.bands import banded, can_be_banded
from workloadlab.routing.learned.explain import formula_of
from workloadlab.routing.learned.forms import FORMS
from workloadlab.routing.learned.rules import BOUNDS, DOMAIN, NOTES, RULES
from workloadlab.routing.registry import built_in
from workloadlab.routing.router import NEEDS, Router
from workloadlab.trace import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["BANDS", "FORMAT_VERSION", "HEURISTIC", "LearnedRouter", "load_learned"]

FORMAT = "workloadlab router"
FORMAT_VERSION = 2
HEURISTIC, BANDS = "heuristic", "bands"

_AGAIN = "undo the edit, or train it again: workloadlab train"


@dataclass(frozen=True, kw_only=True)
class LearnedRouter:
    """A router that was trained.

    Attributes:
        name: what the scoreboard calls it.
        form: how it scores: "linear" or "trees", see `FORMS`; "heuristic", the name of one, where
            nothing learned was better; or "bands", a router for each band of load.
        rules: gradients, speed, cap and hold rules, by the names of `RULES`.
        body: what the form adds: the weights by cost, the trees, {"router": name}, or the
            edges, members and `saturation_rps` (of one instance of the fastest pool) of bands.
        domain: lowest and highest of each of `DOMAIN` that it met in training; a router without one is
            nowhere outside.
        needs: what a trace must have: "predicted_output" if it was trained with predictions, "prefix" if
            with cached prefixes.
        card: how it compares, one row for each cell and router.
        provenance: method, objective, seeds, blocks, versions.

    Example:
        >>> weights = {"wait": 1.0, "prefill": 1.0}
        >>> router = LearnedRouter(name="shortest_wait", rules={"prefill_token_s": 1e-4}, body=weights)
        >>> print(router.explain())
        score = (wait + prefill) / speed
          wait = 0.0001 ahead
          prefill = 0.0001 uncached
    """

    name: str = "learned"
    form: str = "linear"
    rules: dict[str, float] = field(default_factory=dict)
    body: dict[str, Any]
    domain: dict[str, tuple[float, float]] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    card: list[dict[str, Any]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        neutral = dict.fromkeys(RULES, 0.0) | {
            "speed": 1.0,
            "hold_ratio": -1.0,
            "hold_wait_s": -1.0,
        }
        object.__setattr__(self, "rules", neutral | self.rules)

    def router(self) -> Router:
        """Return what `wl.replay` takes: compiled code over flat arrays, with the same decisions."""
        if self.form == HEURISTIC:
            return replace(built_in(self.body["router"]), name=self.name)
        if self.form == BANDS:
            return self._banded()
        form = FORMS[self.form]
        bounds = {name: math.inf if name.startswith("high") else -math.inf for name in BOUNDS}
        for name, (low, high) in self.domain.items():
            bounds[f"low_{name}"], bounds[f"high_{name}"] = low, high
        return Router(
            name=self.name,
            function=form.choose,
            kind="choose",
            needs=self.needs,
            uses=frozenset({"prefix"}),
            params=(*self.rules.values(), *bounds.values(), *form.numbers(self.body)),
            param_names=form.names,
            memory=NOTES,
            family="learned",
            formula=self.explain().splitlines()[0],
            source=str(self.provenance.get("method", "trained")),
        )

    def _banded(self) -> Router:
        members = [_parsed(facts, self.name).router() for facts in self.body["members"]]
        function, numbers = banded(members, self.body["edges"], self.body["saturation_rps"])
        return Router(
            name=self.name,
            function=function,
            kind="choose",
            needs=self.needs.union(*(member.needs for member in members)),
            uses=frozenset().union(*(member.uses for member in members)),
            params=numbers,
            family="learned",
            formula="by load: " + "; ".join(member.formula for member in members),
            source=str(self.provenance.get("method", "trained")),
        )

    def explain(self) -> str:
        """Return the score as a formula that another router could carry."""
        if self.form == BANDS:
            edges = [f"below load {edge:.3g}" for edge in self.body["edges"]]
            parts = [_parsed(facts, self.name).explain() for facts in self.body["members"]]
            words = zip([*edges, "above"], parts, strict=True)
            return "\n".join(f"{where}: {part}" for where, part in words)
        if self.form == HEURISTIC:
            return f"as {self.body['router']}: {built_in(self.body['router']).formula}"
        return formula_of(self.form, self.rules, self.body)

    @property
    def verdict(self) -> str:
        """Whether it beat the best heuristic when it was trained, in a sentence."""
        return str(self.provenance.get("verdict", "was not trained here"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "form": self.form,
            "needs": sorted(self.needs),
            "rules": self.rules,
            "body": self.body,
            "domain": {name: list(bounds) for name, bounds in self.domain.items()},
            "card": self.card,
            "provenance": self.provenance,
        }

    def save(self, path: str | Path) -> None:
        """Write the router as JSON, at once or not at all."""
        text = json.dumps(sealed(self.to_dict()), indent=1, allow_nan=False) + "\n"
        with write_atomically(file_path("path", path)) as beside:
            beside.write_text(text, "utf-8")


def load_learned(path: str | Path) -> LearnedRouter:
    """Read a router that was trained.

    Raises:
        UsageError: no such file.
        DataError: it is truncated, of another version, or holds numbers or features that are none.
    """
    path = file_path("path", path)
    if not path.is_file():
        raise UsageError("no such file", where=str(path), fix="train a router: workloadlab train")
    facts = read_object(path, fix=_AGAIN)
    router = _parsed(facts, str(path))
    check_object(facts, str(path))
    return router


def _parsed(facts: Mapping[str, Any], where: str) -> LearnedRouter:
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise DataError("is not a learned router", where=where, fix="make one: workloadlab train")
    if facts.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"has format version {facts.get('format_version')}; this version reads {FORMAT_VERSION}",
            where=where,
            fix="train it again with this version",
        )
    take = Fields(facts, where)
    form = take("form", str)
    if form not in (HEURISTIC, BANDS, *FORMS):
        raise take.wrong("form", form, f"write {HEURISTIC}, {BANDS} or {', '.join(FORMS)}")
    needs = take("needs", list)
    if not set(map(str, needs)) <= set(NEEDS):
        raise take.wrong("needs", needs, f"use {', '.join(NEEDS)}")
    rules, domain = take.inside("rules"), take.inside("domain")
    rules.only(RULES)
    domain.only(DOMAIN)
    return LearnedRouter(
        name=take("name", str),
        form=form,
        rules={name: rules.number(name) for name in RULES},
        body=_body(form, take.inside("body")),
        domain={name: _pair(domain, name) for name in DOMAIN if name in domain.facts},
        needs=frozenset(needs),
        card=take("card", list),
        provenance=take("provenance", dict),
    )


def _body(form: str, take: Fields) -> dict[str, Any]:
    if form in FORMS:
        return FORMS[form].parse(take)
    return _heuristic(take) if form == HEURISTIC else _bands(take)


def _bands(take: Fields) -> dict[str, Any]:
    take.only(("saturation_rps", "edges", "members"))
    members = take("members", list)
    for k, facts in enumerate(members):
        member = _parsed(facts, f"{take.where}, member {k}")
        if member.form == BANDS:
            raise take.wrong(f"members[{k}].form", BANDS)
        if member.form == HEURISTIC and not can_be_banded(member.router()):
            raise take.wrong(f"members[{k}]", member.body, "name a heuristic without a memory")
    edges = take.numbers("edges", count=len(members) - 1, rising=True)
    return {
        "saturation_rps": take.number("saturation_rps", low=0.0), "edges": edges, "members": members
    }  # fmt: skip


def _heuristic(take: Fields) -> dict[str, Any]:
    take.only(("router",))
    name = take("router", str)
    try:
        built_in(name)
    except UsageError as error:
        raise take.wrong("router", name, error.fix or _AGAIN) from error
    return {"router": name}


def _pair(domain: Fields, name: str) -> tuple[float, float]:
    low, high = domain.numbers(name, count=2)
    return low, high
