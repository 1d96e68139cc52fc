"""A topic of a profile, and the study of one trace that topics are measured from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from workloadlab.characterization.rows import read_measured, read_sessions
from workloadlab.characterization.statistics.clock import read_clock
from workloadlab.characterization.statistics.phase_times import predict_phases

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from workloadlab.characterization.facts import Unsupported
    from workloadlab.characterization.rows import Measured, SessionRows
    from workloadlab.characterization.statistics.clock import Clock
    from workloadlab.characterization.statistics.phase_times import PhaseTimes
    from workloadlab.latency import LatencyModel
    from workloadlab.tables import Table
    from workloadlab.trace import Trace

__all__ = ["Facts", "Study", "Topic"]


class Facts(Protocol):
    """The facts of a topic: a frozen dataclass that shows itself as tables."""

    def tables(self) -> list[Table]:
        """Return the facts as tables for people."""


F = TypeVar("F", bound=Facts)


@dataclass(frozen=True)
class Topic(Generic[F]):
    """One question that a profile answers.

    Attributes:
        name: its attribute in a Profile, and its key in the JSON.
        about: the question, as a line of help.
        needs: columns of which a trace must record one at least; () where every trace will do.
        facts: type of the answer.
        measure: answers from a study; Unsupported, with the reason, where the trace cannot tell.
        unmodelled: from the columns that a trace records and whether there is a latency model, says
            that it lacks one; None where it does not.
    """

    name: str
    about: str
    needs: tuple[str, ...]
    facts: type[F]
    measure: Callable[[Study], F | Unsupported]
    unmodelled: Callable[[Collection[str], bool], Unsupported | None] = lambda *_: None

    @property
    def title(self) -> str:
        """Its heading.

        Example:
            >>> from workloadlab.characterization.topics.service_levels import SERVICE_LEVELS
            >>> SERVICE_LEVELS.title
            'Service levels'
        """
        return self.name.replace("_", " ").capitalize()


class Study:
    """A trace under measurement: what several topics need is read once, when first asked for.

    Args:
        trace: the trace.
        model: predicts what the phases cost.
        lru_blocks: cache sizes in blocks; without them the prefix topic chooses its own.
    """

    def __init__(
        self,
        trace: Trace,
        model: LatencyModel | None = None,
        *,
        lru_blocks: Sequence[int] | None = None,
    ) -> None:
        self.trace = trace
        self.model = model
        self.lru_blocks = lru_blocks
        self._found: dict[str, Any] = {}

    def find(self, topic: Topic[F]) -> F | Unsupported:
        """Return the facts of a topic, measured once."""
        if topic.name not in self._found:
            self._found[topic.name] = topic.measure(self)
        return cast("F | Unsupported", self._found[topic.name])

    @cached_property
    def requests(self) -> Measured:
        """Arrivals and lengths of the measured rows."""
        return read_measured(self.trace)

    @cached_property
    def clock(self) -> Clock:
        """The clock that stamped the arrivals, as far as they tell."""
        return read_clock(self.requests.arrival_ns)

    @cached_property
    def session_rows(self) -> SessionRows | Unsupported:
        """The requests that name a session."""
        return read_sessions(self.trace)

    @cached_property
    def phase_times(self) -> PhaseTimes | Unsupported | None:
        """Predicted times of both phases; None without a model."""
        return predict_phases(self.trace, self.model) if self.model else None
