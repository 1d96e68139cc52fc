"""Service-level targets, and who meets them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.arguments import checked, pairs
from workloadlab.errors import UsageError
from workloadlab.scoring.target_words import target_seconds, target_words
from workloadlab.words import listed, seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.scoring.timings import Timings

__all__ = ["SLO", "targets_words"]

_TARGETS = ("ttft_s", "tpot_s", "e2e_s", "ttft_s_per_token")


@checked
@dataclass(frozen=True, init=False)
class SLO:
    """Service-level targets in seconds; a request meets the level if it meets all that are set.

    A request of one token has no TPOT and so meets any TPOT target; a rejected or failed one meets
    nothing.

    Attributes:
        ttft_s, tpot_s, e2e_s: targets; None asks for nothing.
        ttft_s_per_token: added to the TTFT target for each prompt token, so that long prompts may take
            longer.
        classes: targets of the requests of a service class, by its name, instead of these.

    As on the command line, a target may also be named without `_s` and be text: `tpot="50ms"`.

    Raises:
        UsageError: a target that is not positive, is none or is given twice, a target by length
            without `ttft_s`, or classes within a class.

    Example:
        >>> SLO(ttft_s=1.0, tpot_s=0.05).to_dict()
        {'ttft_s': 1.0, 'tpot_s': 0.05}
        >>> SLO(ttft=1, tpot="50ms") == SLO.of("ttft=1,tpot=0.05")
        True
        >>> SLO(ttft_s=1.0, classes={"batch": SLO(e2e_s=60.0)}).to_dict()
        {'ttft_s': 1.0, 'batch:e2e_s': 60.0}
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    ttft_s_per_token: float | None = None
    classes: Mapping[str, SLO] = field(default_factory=dict)

    def __init__(
        self, *, classes: Mapping[str, SLO] | None = None, **targets: float | str | None
    ) -> None:
        given = {name: value for name, value in targets.items() if value is not None}
        found = dict.fromkeys(_TARGETS) | target_seconds(given, _TARGETS)
        for name, seconds_ in found.items():
            object.__setattr__(self, name, seconds_)
        object.__setattr__(self, "classes", dict(classes or {}))
        self._check()

    def _check(self) -> None:
        for name, target in self._own().items():
            word = name.replace("_s", "")
            if not target > 0:
                raise UsageError(
                    f"the target {word} = {target:g} s is not above 0",
                    fix=f"give the time that a request may take, such as {word}=50ms",
                )
        if self.ttft_s_per_token is not None and self.ttft_s is None:
            raise UsageError("ttft_s_per_token without ttft_s", fix="set both")
        if any(each.classes for each in self.classes.values()):
            raise UsageError("a service class has classes of its own", fix="name each class once")

    @classmethod
    def of(cls, targets: SLO | str | Mapping[str, float | str]) -> SLO:
        """Return the level that `to_dict` tells of, or that words tell of; a level as it is.

        Example:
            >>> SLO.of({"batch:e2e_s": 60.0}).classes["batch"].e2e_s
            60.0
        """
        if isinstance(targets, SLO):
            return targets
        if isinstance(targets, str):
            targets = target_words(targets)
        if not isinstance(targets, Mapping):
            raise UsageError(f"slo = {targets!r} tells no targets", fix="write ttft=1,tpot=50ms")
        targets = pairs("slo", targets)
        own = {name: value for name, value in targets.items() if ":" not in name}
        classes: dict[str, dict[str, float | str]] = {}
        for name, value in targets.items():
            if ":" in name:
                of, _, target = name.rpartition(":")
                classes.setdefault(of, {})[target] = value
        plain: dict[str, Any] = dict(own)
        return cls(**plain, classes={name: cls.of(each) for name, each in classes.items()})

    def to_dict(self) -> dict[str, float]:
        """Return the targets that are set; those of a class as `class:target`."""
        of_classes = {
            f"{name}:{target}": value
            for name, each in self.classes.items()
            for target, value in each.to_dict().items()
        }
        return self._own() | of_classes

    def scaled(self, factor: float) -> SLO:
        """Return targets of so many times the length."""
        return SLO.of({name: value * factor for name, value in self.to_dict().items()})

    def met(self, timings: Timings) -> NDArray[np.bool_]:
        """Return which requests meet every target."""
        good = self._met(timings)
        labels = timings.parties.get("slo_class")
        for name, each in self.classes.items():
            if labels and name in labels.names:
                members = labels.codes == labels.names.index(name)
                good = np.where(members, each._met(timings), good)
        return good

    def reached(self, timings: Timings, share: float) -> dict[str, float]:
        """Return the least targets that a share of the requests meets, each for itself.

        Targets of classes are left out, and those that too few requests have.
        """
        if not 0 < share <= 1:
            raise UsageError(f"share = {share}", fix="use a share of the requests, such as 0.99")
        found = {}
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            if getattr(self, name) is None or self.classes:
                continue
            took = getattr(timings, name)
            if name == "ttft_s":
                took = took - (self.ttft_s_per_token or 0.0) * timings.input_tokens
            if name == "tpot_s":
                took = np.where(timings.output_tokens <= 1, 0.0, took)
            took = np.sort(np.where(timings.served & np.isfinite(took), took, np.inf))
            least = float(took[max(0, math.ceil(share * len(took)) - 1)])
            if 0 < least < np.inf:
                found[name] = least
        if "ttft_s" in found and self.ttft_s_per_token:
            found["ttft_s_per_token"] = self.ttft_s_per_token
        return found

    def _own(self) -> dict[str, float]:
        return {
            name: value for name, value in vars(self).items()
            if value is not None and name != "classes"
        }  # fmt: skip

    def _met(self, timings: Timings) -> NDArray[np.bool_]:
        good = timings.served.copy()
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            target: Any = getattr(self, name)
            if target is None:
                continue
            if name == "ttft_s" and self.ttft_s_per_token is not None:
                target = target + self.ttft_s_per_token * timings.input_tokens
            within = getattr(timings, name) <= target
            if name == "tpot_s":
                within |= timings.output_tokens <= 1
            good &= within
        return good


def targets_words(slo: Mapping[str, float]) -> str:
    """Return the targets of `SLO.to_dict` as words.

    Example:
        >>> targets_words({"ttft_s": 1.0, "ttft_s_per_token": 0.0005, "batch:e2e_s": 60.0})
        'TTFT ≤ 1 s + 500 µs per prompt token and for batch E2E ≤ 60 s'
    """
    said = []
    for name, target in slo.items():
        of, _, latency = name.rpartition(":")
        if latency == "ttft_s_per_token":
            continue
        more = slo.get(f"{of}:ttft_s_per_token" if of else "ttft_s_per_token")
        longer = f" + {seconds(more)} per prompt token" if latency == "ttft_s" and more else ""
        whose = f"for {of} " if of else ""
        said.append(f"{whose}{latency[:-2].upper()} ≤ {seconds(target)}{longer}")
    return listed(said)
