"""The shapes of a report's facts: what a section says, before any of it is drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from workloadlab.characterization.facts import to_plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BAND",
    "REFERENCE",
    "Cell",
    "Curve",
    "Drawing",
    "Finding",
    "Grid",
    "Key",
    "Plot",
    "Section",
]


REFERENCE, BAND = -1, -2
"""Styles of a `Key` that is no series: the thin line or the band to compare with."""


@dataclass(frozen=True)
class Finding:
    """Something to know before trusting the rest.

    Attributes:
        severity: `warning` where a number may mislead, else `info`.
        about: the part of the report that it concerns.
        message: the finding as a sentence.
    """

    severity: str
    about: str
    message: str


@dataclass(frozen=True)
class Key:
    """One entry of a figure's legend.

    Attributes:
        label: what the line shows.
        style: index of its colour and dash, equal in every figure of a section; or `REFERENCE`
            or `BAND`.
    """

    label: str
    style: int


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes:
        style: index of its colour and dash.
        points: (x, y) pairs.
    """

    style: int
    points: tuple[tuple[float, ...], ...]


class Drawing(Protocol):
    """The data of one kind of figure, as a frozen dataclass that draws itself.

    Attributes:
        kind: the figure's name in the JSON; the fields are its data there.
    """

    kind: ClassVar[str]

    def draw(self) -> Figure:
        """Return the data as a matplotlib figure, made by `canvas`."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure: what it shows, how to read it, how it was computed.

    Attributes:
        id: unique on the page.
        title: what is shown.
        reading: the sentence that the data says, or why there is no drawing.
        definition: how it was computed.
        n: what it was computed from.
        drawing: what is drawn; None where the data has nothing to draw.
        legend: the lines, in the order of drawing; empty for a single one.
    """

    id: str
    title: str
    reading: str
    definition: str = ""
    n: str = ""
    drawing: Drawing | None = None
    legend: tuple[Key, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, with the drawing's `kind` ("absent" for none) and `data`."""
        return {
            "id": self.id,
            "kind": self.drawing.kind if self.drawing else "absent",
            "title": self.title,
            "reading": self.reading,
            "definition": self.definition,
            "n": self.n,
            "data": to_plain(self.drawing) if self.drawing else {},
            "legend": tuple(asdict(key) for key in self.legend),
        }


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    Attributes:
        text: as shown.
        mark: `best` (separated from all others), `tied` (not separated from the best), `least`
            (best number, no interval), or "".
    """

    text: str
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table; the first `names` columns hold names, the others numbers.

    Attributes:
        caption: what it shows.
        groups: label and width of the spanning header cells; empty for a single header row.
        header: one label per column.
        rows: cells, as many as the header.
        note: how to read it.
        names: leading columns that are text.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()
    note: str = ""
    names: int = 1


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the report.

    Attributes:
        id: unique on the page.
        title: heading.
        summary: the reading of the whole section, for the top of the page.
        findings: what to know before trusting it.
        facts: label and value pairs.
        grids: tables shown.
        plots: figures.
        unsupported: topic and reason, of what the part cannot say and no figure stands for.
        details: tables folded away.
        source: the part as plain JSON data.
    """

    id: str
    title: str
    summary: str
    findings: tuple[Finding, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    grids: tuple[Grid, ...] = ()
    plots: tuple[Plot, ...] = ()
    unsupported: tuple[tuple[str, str], ...] = ()
    details: tuple[Grid, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, one key per attribute."""
        plots = tuple(plot.to_dict() for plot in self.plots)
        return asdict(replace(self, plots=())) | {"plots": plots}
