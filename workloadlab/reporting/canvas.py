"""The look of every figure, and its way to inline SVG.

Figures are drawn in the light palette; `to_svg` then replaces each colour by the page's CSS variable
of that name, so that one drawing is right on light, dark and printed pages.
"""

from __future__ import annotations

import io
import math
import re
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from workloadlab.words import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "HEIGHT",
    "INK",
    "LEAST_SHARE",
    "LOG_FROM",
    "MUTED",
    "SERIES",
    "STEPS_BELOW",
    "canvas",
    "colour_variable",
    "dash_pattern",
    "house_style",
    "log_axis",
    "percent",
    "reference_line",
    "series",
    "share_axis",
    "short",
    "thousands",
    "tick_seconds",
    "time_axis",
    "time_unit",
    "to_svg",
]

INK, MUTED, GRID = "#1a1f26", "#66707c", "#dfe3e8"
SERIES = (
    "#0b68ad", "#c54a08", "#0a7a5c", "#a0468a", "#8a6508", "#4d5a8c",
    "#b3122f", "#2b8a8a", "#6a3fb5", "#5c7a0a", "#8c4a2f", "#c23b86",
)  # fmt: skip
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid"} | {
    colour: f"series-{number}" for number, colour in enumerate(SERIES)
}
DASHES = ((), (5, 2), (1.5, 1.5), (7, 2, 1.5, 2))
"""Dash patterns in points; with twelve colours, lines look different without colour alone."""

LINE_WIDTH = 1.7
WIDTH, HEIGHT = 520, 290
POINTS_PER_INCH = 72

STEPS_BELOW = 60
"""A cumulative curve of fewer points is every distinct value, so it is drawn as stairs."""

LEAST_SHARE = 0.003
"""A logarithmic axis starts where this share of the data is seen, not at its one least value."""

LOG_FROM = 30
"""Latencies go on a logarithmic axis when the largest is more than this times the smallest."""

SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

_RC: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelpad": 9.0,
    "axes.axisbelow": True,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": "cycler('color', ['#1a1f26'])",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 12.0,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": LINE_WIDTH,
    "lines.dash_capstyle": "butt",
    "path.simplify": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "workloadlab",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with these settings alone, whatever the user's matplotlib is set to."""
    import matplotlib as mpl
    import matplotlib.style

    with mpl.rc_context():
        mpl.style.use("default")
        mpl.rcParams.update(_RC)
        yield


def canvas(*, height: int = HEIGHT) -> tuple[Figure, Axes]:
    """Return a figure with one empty pair of axes, one unit of the SVG per CSS pixel."""
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(WIDTH / POINTS_PER_INCH, height / POINTS_PER_INCH), layout="constrained"
    )
    return figure, figure.subplots()


def series(style: int) -> dict[str, Any]:
    """Return colour and dash of a series, the same in every figure and in the legends."""
    dashes = DASHES[style % len(DASHES)]
    return {"color": SERIES[style % len(SERIES)]} | ({"dashes": dashes} if dashes else {})


def colour_variable(style: int) -> str:
    """Return the CSS variable of a series' colour."""
    return VARIABLES[SERIES[style % len(SERIES)]]


def dash_pattern(style: int) -> str:
    """Return the dash of a series as an SVG `stroke-dasharray`, for legends outside the figure."""
    return " ".join(f"{length * LINE_WIDTH:g}" for length in DASHES[style % len(DASHES)])


def to_svg(figure: Figure, plot_id: str, label: str) -> str:
    """Return a figure as an inline SVG element that follows the page's colours and font.

    The same figure gives the same text: coordinates have two decimals, ids are numbered by
    occurrence, and nothing of the drawing's date or machine remains.
    """
    stream = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    _, _, drawn = stream.getvalue().partition("<svg ")
    opening, _, body = drawn.partition(">")
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    pieces = re.split(r"(<[^>]*>)", body)
    pieces[1::2] = [_clean(tag) for tag in pieces[1::2]]
    pieces[1::2] = _number_ids(pieces[1::2], plot_id)
    pieces[::2] = ["" if text.isspace() else text for text in pieces[::2]]
    view = re.search(r'viewBox="[^"]+"', opening)
    return (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" {view[0] if view else ""}>'
        + "".join(pieces)
    )


def _clean(tag: str) -> str:
    """Shorten one tag and give it the page's colours and font; text between tags is never touched."""
    if tag.startswith("<!--"):
        return ""
    tag = re.sub(r'^<g id="[^"]*"', "<g", " ".join(tag.split()))
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{round(float(number[0]), 2) + 0.0:g}", tag)
    return re.sub(r"#[0-9a-f]{6}", lambda colour: _page_colour(colour[0]), tag)


def _page_colour(colour: str) -> str:
    return f"var(--{VARIABLES[colour]})" if colour in VARIABLES else colour


def _number_ids(tags: list[str], plot_id: str) -> list[str]:
    names = dict.fromkeys(name for tag in tags for name in re.findall(r' id="([^"]+)"', tag))
    numbered = {name: f"{plot_id}-{number}" for number, name in enumerate(names)}
    reference = re.compile(r'( id="|href="#|url\(#)([^")]+)')
    return [reference.sub(lambda m: m[1] + numbered[m[2]], tag) for tag in tags]


def log_axis(axis: Axis, low: float, high: float, words: Callable[[float], str]) -> None:
    """Make an axis logarithmic from `low` to `high` > 0, with round ticks in words."""
    if low == high:
        low, high = low / 2, high * 2
    axes: Any = axis.axes
    getattr(axes, f"set_{axis.axis_name}scale")("log")  # type: ignore[attr-defined]
    getattr(axes, f"set_{axis.axis_name}lim")(low, high)  # type: ignore[attr-defined]
    decades = math.log10(high / low)
    steps: tuple[int, ...] = (1,) if decades > 2.5 else (1, 3) if decades > 1.5 else (1, 2, 5)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    every = 1 + len(ticks) // 8
    axis.set_ticks(ticks[::every], [words(tick) for tick in ticks[::every]])
    axis.set_ticks([], minor=True)


def time_axis(axis: Axis, values: Sequence[float]) -> None:
    """Label a linear axis of seconds in the unit that suits its largest value."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    most = max((abs(value) for value in values), default=1.0)
    factor, unit = (1.0, "s") if most >= 2 else (1e3, "ms") if most >= 2e-3 else (1e6, "µs")
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value * factor:,.10g} {unit}" if value else "0")
    )


def tick_seconds(value: float) -> str:
    """Return a round time as a tick: `10 ms`, `1 s`, `500 s`."""
    return f"{value:,.10g} s" if value >= 120 else seconds(value)


def thousands(value: float) -> str:
    """Return a number as a tick: `0.5`, `1,000`."""
    return f"{value:,.10g}"


def short(value: float) -> str:
    """Return a large round number as a tick: `500`, `20k`, `3M`."""
    size, suffix = next(((s, name) for s, name in SUFFIXES if value >= s), (1, ""))
    return f"{value / size:.10g}{suffix}"


def percent(value: float) -> str:
    """Return a share as a tick: `0.1%`, `50%`."""
    return f"{value * 100:.10g}%"


def reference_line(axes: Axes, height: float) -> None:
    """Draw the thin dashed level to compare with."""
    axes.axhline(height, color=MUTED, linewidth=1.2, dashes=(4, 2))


def share_axis(axes: Axes, most: float = 1.0) -> None:
    """Scale the vertical axis from 0 to a largest share, in percent."""
    if most > 0.5:
        axes.set_ylim(0, 1.01)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        return
    axes.set_ylim(0, most * 1.1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.10g}%")


def time_unit(span_s: float) -> tuple[str, int]:
    """Return the largest unit that fits three times into a span, and its seconds."""
    units = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    return next((unit, size) for unit, size in units if span_s >= 3 * size or size == 1)
