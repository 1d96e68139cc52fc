"""The figures of a trace, by topic: `trace.plot.arrivals()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from workloadlab.characterization import TOPICS, Profile, Study
from workloadlab.characterization.facts import Unsupported
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.reporting.notebook.figure import figure_of
from workloadlab.reporting.workload.place import Place
from workloadlab.reporting.workload.section import figures_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from workloadlab.characterization import Topic
    from workloadlab.reporting.facts import Plot
    from workloadlab.trace import Trace

__all__ = ["Plots", "plots_of"]


class Plots:
    """The figures of a trace: a method for each topic that has some.

    Example:
        >>> from workloadlab.trace import Trace
        >>> trace = Trace.of((k * k % 977, 10 + k, 5) for k in range(300))
        >>> dir(Plots(trace))[:3]
        ['arrivals', 'concurrency', 'lengths']
        >>> type(Plots(trace).lengths("input").axes[0]).__name__
        'Axes'
    """

    def __init__(self, trace: Trace) -> None:
        self._study = Study(trace)

    def __dir__(self) -> list[str]:
        return sorted(topic.name for topic in TOPICS if figures_of(topic))

    def __getattr__(self, name: str) -> Callable[..., Figure]:
        topic = next((each for each in TOPICS if each.name == name), None)
        if topic is None or name.startswith("_"):
            raise AttributeError(f"no topic is called {name!r}: {did_you_mean(name, dir(self))}")

        def draw(figure: str | int = 0) -> Figure:
            return self._draw(topic, figure)

        draw.__doc__ = f"Draw {topic.about}; `figure` is a place or a part of a name."
        return draw

    def __repr__(self) -> str:
        return f"<Plots: {', '.join(dir(self))}>"

    def _draw(self, topic: Topic[Any], figure: str | int) -> Figure:
        """Draw one figure of a topic.

        Raises:
            UnsupportedError: the trace cannot tell.
            UsageError: the topic has no such figure.
        """
        plots = plots_of(self._study, topic)
        if isinstance(figure, int) and -len(plots) <= figure < len(plots):
            return figure_of(plots[figure])
        names = [plot.id.partition("-")[2] for plot in plots]
        for plot, name in zip(plots, names, strict=True):
            if str(figure) in name:
                return figure_of(plot)
        raise UsageError(
            f"{topic.name} has no figure {figure!r}", fix=did_you_mean(str(figure), names)
        )


def plots_of(study: Study, topic: Topic[Any]) -> list[Plot]:
    """Return the figures of a topic.

    Raises:
        UnsupportedError: the trace cannot tell.
    """
    facts = study.find(topic)
    if isinstance(facts, Unsupported):
        raise UnsupportedError(f"{topic.name}: {facts.unsupported}")
    # Figures read other topics of a profile only for the cost of phases, which takes a latency model.
    beside = cast("Profile", _NoPhases())
    found = (figure(facts, Place("plot", beside)) for figure in figures_of(topic))
    return [plot for plot in found if plot]


class _NoPhases:
    """A profile without a latency model."""

    phases = Unsupported("no latency model is given")
