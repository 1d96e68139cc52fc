"""The value that a published layout is: its name, a test of paths, and a reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from workloadlab.latency.step_terms import StepTerms

__all__ = ["Facts", "Source"]


class Facts(TypedDict):
    """Facts that a source gives about its steps: fields of the `LatencyModel` to fit.

    Attributes:
        dtype: of the weights, None if the source does not say.
        provenance: source, url, licence and notes.
        system: engine facts, such as `includes_step_overhead`.
        terms: of steps that are composed from kernels, what those leave out; absent from measured steps.
    """

    dtype: str | None
    provenance: dict[str, str]
    system: dict[str, Any]
    terms: NotRequired[StepTerms]


@dataclass(frozen=True)
class Source:
    """One published layout. Each module of this folder that reads one calls it `SOURCE`.

    Attributes:
        layout: the path that a user names, in words.
        accepts: says whether a path is of this layout.
        read: returns step samples and facts from a path and the options that it takes.
    """

    layout: str
    accepts: Callable[[Path], bool]
    read: Callable[..., tuple[pl.DataFrame, Facts]]
