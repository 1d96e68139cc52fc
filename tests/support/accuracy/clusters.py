"""Tables of the accuracy page about clusters: chats by level, and signs of what a router changes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from support.lmbench import simulation_error, study, tallies
from support.multiturn import EIGHT_GPUS, ONE_GPU, eight_gpus, from_the_lightest, one_gpu

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["chats", "routers"]


FROM_16 = """
Calibrated on the 16 clients alone, these know nothing of larger batches. Each cell has three replays: by
the least that steps may take, by the model, by the most (`Cluster.ends`). The truth should lie between.

"""


def chats(data: Path) -> str:
    """Return errors of the means by number of GPUs and of clients."""
    rows = [
        [str(gpus), f"{clients}{' (calibrated)' if clients in known else ''}",
         *(f"{found[name]:+.1%}".replace("%", " %") for name in ("ttft", "tpot", "running", "kv"))]
        for gpus, known, (_, errors) in (
            (8, EIGHT_GPUS, eight_gpus(data)), (1, ONE_GPU, one_gpu(data)))
        for clients, found in errors.items()
    ]  # fmt: skip
    head = ["GPUs", "clients", "TTFT", "TPOT", "running", "KV use"]
    return _table(head, rows) + FROM_16 + _from_16(data)


def _from_16(data: Path) -> str:
    rows = [
        [str(gpus), str(clients), f"{outside:.0%}".replace("%", " %"),
         *(" / ".join(f"{error:+.0%}" for error in errors[name]).replace("%", " %")
           for name in ("ttft_s", "tpot_s", "e2e_s"))]
        for gpus in (8, 1)
        for clients, outside, errors in from_the_lightest(data, gpus)
    ]  # fmt: skip
    return _table(["GPUs", "clients", "steps outside", "TTFT", "TPOT", "e2e"], rows)


def routers(data: Path) -> str:
    """Return how many predicted changes have the measured sign, with and without the fitted hop."""
    with TemporaryDirectory() as folder:
        everything = study(data, Path(folder))
    rows = [
        [
            title,
            *(
                f"{pairs[name].sum()} of {pairs.height}"
                for name in ("agrees", "agrees_without_hop")
            ),
        ]
        for title, pairs in tallies(everything).items()
    ]
    error = f"{simulation_error(everything):.1%}".replace("%", " %")
    said = f"\nTTFT of the runs without a router is off by {error} in the median.\n"
    return _table(["pairs", "same sign", "without the hop"], rows) + said


def _table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
