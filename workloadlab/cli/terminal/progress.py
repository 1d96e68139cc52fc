"""How far a verb is, on stderr: one line that changes on a terminal, else lines at growing distances."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from workloadlab.words import plural, seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Lines", "Progress", "Spinner"]

SILENT_S = 1.0
"""What takes less needs no word."""

LONGEST_WAIT_S = 60.0
"""Between two lines; the first come after 1, 2, 4, ... seconds."""


FEWEST_ENDED, EARLY_SHARE, ENOUGH_ENDED = 3, 0.2, 20
"""Before so many parts and such a share of them have ended, or enough, nobody knows how long the rest
takes: the first ones wait for the compiler, and no two are alike."""


class Progress:
    """Counts what ended, over all the rounds of a verb.

    Args:
        doing: what runs, in words.
        clock: seconds, from any start.
        rounds: it works in rounds, of which nobody knows how many follow: no time left is said.

    Example:
        >>> now = iter([0.0, 4.0])
        >>> progress = Progress("Replaying", lambda: next(now))
        >>> progress.tell(0, 6)
        >>> progress.tell(3, 6)
        >>> progress.words(6.0)
        'Replaying: 3 of 6, 0.5 per second, 6 s left'
    """

    def __init__(
        self, doing: str, clock: Callable[[], float] = time.monotonic, *, rounds: bool = False
    ) -> None:
        self.doing, self.clock, self.began_s, self.rounds = doing, clock, clock(), rounds
        self.before = self.done = self.total = 0

    def tell(self, done: int, total: int) -> None:
        """Take over how many of one round have ended; a round begins with none."""
        if done == 0:
            self.before, self.total = self.done, self.total + total
        self.done = self.before + done

    def words(self, elapsed_s: float) -> str:
        """Return where the verb is."""
        if not self.total:
            return f"{self.doing}: {seconds(round(elapsed_s))} so far"
        if not self.done:
            return f"{self.doing}: {plural(self.total, 'part')}, {seconds(round(elapsed_s))} so far"
        said = f"{self.doing}: {self.done:,} of {self.total:,}"
        enough = max(FEWEST_ENDED, min(EARLY_SHARE * self.total, ENOUGH_ENDED))
        if self.rounds or self.done < enough:
            return f"{said}, {seconds(round(elapsed_s))} so far"
        rate = self.done / elapsed_s
        left_s = (self.total - self.done) / rate
        pace = f"{rate:.3g} per second" if rate < 999 else f"{rate:,.0f} per second"
        return f"{said}, {pace}, {seconds(round(left_s))} left"

    def __enter__(self) -> Progress:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """End."""


class Lines(Progress):
    """Writes a line when something ends, the first after a second, then at doubling distances."""

    def __init__(
        self, doing: str, clock: Callable[[], float] = time.monotonic, *, rounds: bool = False
    ) -> None:
        super().__init__(doing, clock, rounds=rounds)
        self.next_s = SILENT_S

    def tell(self, done: int, total: int) -> None:
        """Say it, if it is time."""
        super().tell(done, total)
        elapsed_s = self.clock() - self.began_s
        if elapsed_s >= self.next_s and self.done < self.total:
            click.echo(self.words(elapsed_s), err=True)
            self.next_s = elapsed_s + min(elapsed_s, LONGEST_WAIT_S)


class Spinner(Progress):
    """Shows it in place."""

    def __init__(
        self, doing: str, clock: Callable[[], float] = time.monotonic, *, rounds: bool = False
    ) -> None:
        super().__init__(doing, clock, rounds=rounds)
        from rich.console import Console

        self.status: Any = Console(stderr=True).status(doing)

    def tell(self, done: int, total: int) -> None:
        """Show it."""
        super().tell(done, total)
        elapsed_s = self.clock() - self.began_s
        if elapsed_s >= SILENT_S:
            self.status.update(self.words(elapsed_s))

    def __enter__(self) -> Progress:
        """Show the spinner."""
        self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Take it away."""
        self.status.stop()
