"""Routers that choose for many lanes at once: any Python object with `choose(batch)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from workloadlab.errors import UsageError
from workloadlab.hints import did_you_mean
from workloadlab.routing.prefix_index import PrefixIndex
from workloadlab.routing.router import Router, named_and_needing
from workloadlab.routing.signals import PREFIX_FIELDS, REQUEST_FIELDS

if TYPE_CHECKING:
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Numbers = npt.NDArray[np.floating[Any]]

__all__ = ["Batch", "Chooser", "as_choices", "batch_router", "choices_of"]


@dataclass(frozen=True)
class Batch:
    """One decision in each of some lanes: the request to place, and the instances to choose among.

    The arrays are the engine's own and change with the next step: copy what is to stay, as the methods
    do.

    Attributes:
        lanes: the lanes' numbers, (lanes,).
        requests: records (lanes,) with the fields of `REQUEST_FIELDS`: `requests["session"]`.
        instances: records (lanes, instances) with the fields of `INSTANCE_FIELDS`:
            `instances["in_flight"]`.

    Example:
        >>> from workloadlab.routing import INSTANCE, REQUEST
        >>> instances = np.zeros((1, 2), INSTANCE)
        >>> instances["in_flight"], instances["fits"] = [[3, 1]], 1
        >>> batch = Batch(np.arange(1), np.zeros(1, REQUEST), instances)
        >>> batch.lowest(batch.instances["in_flight"]).tolist()
        [1]
        >>> batch.instance_features("in_flight", "waiting").tolist()
        [[[3.0, 0.0], [1.0, 0.0]]]
    """

    lanes: npt.NDArray[np.int64]
    requests: npt.NDArray[np.void]
    instances: npt.NDArray[np.void]

    def __len__(self) -> int:
        return len(self.lanes)

    @property
    def allowed(self) -> Bools:
        """Which instances may be chosen, (lanes, instances); at least one in each lane."""
        allowed: Bools = np.equal(self.instances["fits"], 1)
        return allowed

    def lowest(self, scores: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return the allowed instance of lowest score in each lane, ties to the lowest index.

        Args:
            scores: (lanes, instances).
        """
        if not self.instances["fits"].all():
            scores = np.where(self.allowed, scores, np.inf)
        lowest: npt.NDArray[np.int64] = np.argmin(scores, axis=1)
        return lowest

    def instance_features(self, *names: str, dtype: npt.DTypeLike = np.float64) -> Numbers:
        """Return fields of the instances as numbers, (lanes, instances, features).

        Args:
            names: of `INSTANCE_FIELDS`; all that are shown, in that order, if none is given.
            dtype: of the numbers.
        """
        return _stacked(self.instances, names or self.instances.dtype.names or (), dtype)

    def request_features(self, *names: str, dtype: npt.DTypeLike = np.float64) -> Numbers:
        """Return fields of the requests as numbers, (lanes, features).

        Args:
            names: of `REQUEST_FIELDS`; all of them, in that order, if none is given.
            dtype: of the numbers.
        """
        return _stacked(self.requests, names or tuple(REQUEST_FIELDS), dtype)


def _stacked(records: npt.NDArray[Any], names: tuple[str, ...], dtype: npt.DTypeLike) -> Numbers:
    unknown = sorted(set(names) - set(records.dtype.names or ()))
    if unknown:
        raise UsageError(
            f"there is no feature {unknown[0]!r}",
            fix=did_you_mean(unknown[0], records.dtype.names or ()),
        )
    numbers: Numbers = np.empty((*records.shape, len(names)), dtype)
    for at, name in enumerate(names):
        numbers[..., at] = records[name]
    return numbers


@runtime_checkable
class Chooser(Protocol):
    """What chooses for many lanes at once."""

    def choose(self, batch: Batch) -> Any:
        """Return an index of an instance for each lane, or -1 to defer."""


def batch_router(chooser: Chooser) -> Router:
    """Return the router that an object with `choose(batch)` is.

    The object may have a `name`, and `needs`, `uses` and a prefix `index` as a router has; without
    `uses` it sees cached prefixes where there are any. With `signals`, names of `INSTANCE_FIELDS`, it
    sees these and `fits` only, and what it does not see takes no time.

    Args:
        chooser: its `choose` maps a `Batch` to an index for each lane, or -1 to defer.

    Raises:
        UsageError: needs that no trace can offer, a name that is none, a class, or an index that is no
            `PrefixIndex` or comes without prefixes.

    Example:
        >>> class Emptiest:
        ...     def choose(self, batch):
        ...         return batch.lowest(batch.instances["in_flight"])
        >>> batch_router(Emptiest()).name
        'Emptiest'
    """
    if isinstance(chooser, type):
        raise UsageError(
            f"{chooser.__name__} is a class", fix=f"give an object: {chooser.__name__}()"
        )
    name = getattr(chooser, "name", None) or type(chooser).__name__
    index = getattr(chooser, "index", None)
    signals = getattr(chooser, "signals", None)
    if not isinstance(index, PrefixIndex | None):
        raise UsageError(
            f"router {str(name)!r} has an index that is a {type(index).__name__}",
            fix="make it a PrefixIndex, or give the attribute another name",
        )
    signals = None if signals is None else frozenset(signals)
    prefixes = signals is None or not signals.isdisjoint(PREFIX_FIELDS)
    return named_and_needing(
        Router(
            name=str(name),
            function=chooser.choose,
            kind="batch",
            needs=frozenset(getattr(chooser, "needs", ())),
            uses=frozenset(getattr(chooser, "uses", ("prefix",) if prefixes else ())),
            index=index,
            signals=signals,
        )
    )


def as_choices(given: Any, lanes: int, who: str) -> npt.NDArray[np.int64]:
    """Return what somebody chose as one integer for each lane.

    Raises:
        UsageError: a wrong number of choices, or choices that are no integers.
    """
    choices = np.asarray(given)
    if choices.shape != (lanes,):
        raise UsageError(
            f"{who} gave choices of shape {choices.shape}, not ({lanes},)",
            fix="give one instance for each lane of the batch, or -1 to defer",
        )
    if choices.dtype.kind not in "iu":
        raise UsageError(
            f"{who} gave choices of type {choices.dtype}", fix="give indexes of instances, integers"
        )
    return np.ascontiguousarray(choices, np.int64)


def choices_of(policy: Router, batch: Batch) -> npt.NDArray[np.int64]:
    """Ask a router of kind "batch".

    Raises:
        UsageError: it does not return one integer for each lane.
    """
    return as_choices(policy.function(batch), len(batch), f"router {policy.name!r}")
