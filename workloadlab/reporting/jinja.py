"""The templates of pages and cells, and what all of them may call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.reporting.facts import BAND, REFERENCE

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["template"]


def template(name: str) -> Template:
    """Return a template of this room, which escapes text and refuses names that it is not given."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from workloadlab.reporting.canvas import colour_variable, dash_pattern

    environment = Environment(
        loader=PackageLoader("workloadlab.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "BAND": BAND,
        "REFERENCE": REFERENCE,
        "colour_variable": colour_variable,
        "dash_pattern": dash_pattern,
    }
    return environment.get_template(name)
