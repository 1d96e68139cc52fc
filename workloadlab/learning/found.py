"""What one search found, and where a folder keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloadlab.errors import UsageError
from workloadlab.routing.learned.artefact import LearnedRouter, load_learned

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Found", "RunFolder"]


@dataclass(frozen=True)
class Found:
    """The best of one search, by the selection cells.

    Attributes:
        router: what was found.
        training, selection: its loss on the two blocks; below 0 beats the rival.
        curve: by generation the loss of its best trial, and the best on the selection cells so far.
        seed: of the search.
    """

    router: LearnedRouter
    training: float
    selection: float
    curve: list[tuple[float, float]]
    seed: int


@dataclass(frozen=True)
class RunFolder:
    """The configuration, and of every seed that has ended its router and its curve.

    A training that was interrupted goes on behind the last seed that had ended.

    Attributes:
        path: of the folder, or None to keep nothing.
    """

    path: Path | None

    def inside(self, name: str) -> RunFolder:
        """Return a folder in this one."""
        return RunFolder(None if self.path is None else self.path / name)

    def begin(self, configuration: dict[str, Any]) -> None:
        """Write the configuration, or find the same one.

        Raises:
            UsageError: the folder holds a training with another configuration.
        """
        if self.path is None:
            return
        text = json.dumps(configuration, indent=1, sort_keys=True) + "\n"
        there = self.path / "configuration.json"
        if there.is_file() and there.read_text("utf-8") != text:
            raise UsageError(
                "holds a training with another configuration",
                where=str(self.path),
                fix="name another folder, or remove this one",
            )
        self.path.mkdir(parents=True, exist_ok=True)
        there.write_text(text, "utf-8")

    def found(self, seed: int) -> Found | None:
        """Return what a seed found, if it had ended."""
        if self.path is None or not (self.path / f"seed-{seed}.json").is_file():
            return None
        router = load_learned(self.path / f"seed-{seed}.json")
        facts = router.provenance
        curve = [(float(a), float(b)) for a, b in facts["curve"]]
        return Found(router, facts["training"], facts["selection"], curve, seed)

    def keep(self, found: Found) -> None:
        """Write what a seed found."""
        if self.path is None:
            return
        facts = {
            "training": found.training,
            "selection": found.selection,
            "curve": [list(pair) for pair in found.curve],
        }
        router = found.router
        self.path.mkdir(parents=True, exist_ok=True)
        kept = LearnedRouter(
            name=router.name,
            form=router.form,
            rules=router.rules,
            body=router.body,
            provenance=facts,
        )
        kept.save(self.path / f"seed-{found.seed}.json")
