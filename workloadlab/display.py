"""How objects show themselves in a notebook: the package's door names the functions that draw.

Lower rooms do not know the room that draws, so they ask here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Drawn", "drawers"]

drawers: dict[str, Callable[[Any], Any]] = {}
"""By name: `cell`, from an object to HTML of one screen; `plots`, from a trace to its figures."""


class Drawn:
    """An object that shows itself in a notebook in one screen."""

    def _repr_html_(self) -> str:
        html: str = drawers["cell"](self)
        return html
