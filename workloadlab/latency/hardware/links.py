"""Links between the GPUs of an instance: measured, published or guessed, each with its source.

A collective takes a latency and then moves its traffic at a bandwidth. Both belong to the library that
runs it as much as to the wire, so they are given by operation: an all-reduce between two GPUs may be the
engine's own kernel, all else is NCCL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from workloadlab.latency.hardware.gpus import find_gpu

__all__ = ["LINKS", "UNKNOWN", "GivenLink", "Link", "link_of"]


@dataclass(frozen=True)
class GivenLink:
    """What somebody knows of the link of a machine; None for what is not known.

    Attributes:
        latency_s: seconds that a collective takes whatever it sends.
        bytes_s: bytes per second of its traffic in one direction.
    """

    latency_s: float | None = None
    bytes_s: float | None = None


UNKNOWN = GivenLink()


@dataclass(frozen=True)
class Link:
    """One way from GPU to GPU.

    Attributes:
        latency_s: seconds that a collective takes whatever it sends.
        bytes_s: bytes per second of its traffic in one direction.
        fastest: latency and bandwidth of the best that is known of such links.
        slowest: of the worst.
        source: where the figures are from.
    """

    latency_s: float
    bytes_s: float
    fastest: tuple[float, float]
    slowest: tuple[float, float]
    source: str

    def but(self, given: GivenLink) -> Link:
        """Return the link with what is known of it."""
        if given == UNKNOWN:
            return self
        latency_s = self.latency_s if given.latency_s is None else given.latency_s
        bytes_s = self.bytes_s if given.bytes_s is None else given.bytes_s
        known = (latency_s, bytes_s)
        if None in (given.latency_s, given.bytes_s):
            return replace(self, latency_s=latency_s, bytes_s=bytes_s, source="given in part")
        return Link(latency_s, bytes_s, known, known, "given")

    def __str__(self) -> str:
        said = f"{_said(self.latency_s, self.bytes_s)} ({self.source})"
        if self.fastest == self.slowest:
            return said
        return f"{said}, from {_said(*self.fastest)} to {_said(*self.slowest)}"


def _said(latency_s: float, bytes_s: float) -> str:
    return f"{1e6 * latency_s:g} us + ring traffic at {bytes_s / 1e9:.3g} GB/s"


@dataclass(frozen=True)
class _Figures:
    """Microseconds, and the share of the wire's bandwidth that is reached."""

    best: tuple[float, float]
    typical: tuple[float, float]
    worst: tuple[float, float]
    source: str


_NVLINK = _Figures((4.2, 0.73), (5.0, 0.6), (5.2, 0.52), "measured: tables of A100, H100 and H200")
_HOST = _Figures(
    (10.0, 0.5), (20.0, 0.25), (40.0, 0.15), "guessed: NCCL through the host, as GeForce cards need"
)
_STATED = _Figures(
    (8.0, 0.6),
    (20.0, 0.25),
    (24.0, 0.2),
    "stated by LLMServingSim's config.json for its machine with RTX PRO 6000s; the best is vLLM's own "
    "kernel, which reads a peer at 43 of 64 GB/s (vLLM issue 56128, FlashInfer pull request 5023)",
)
_NCCL = _Figures(
    (20.0, 0.6),
    (24.0, 0.55),
    (30.0, 0.25),
    "published: rtx6kpro's pcie-bandwidth.md and FlashInfer pull request 5023",
)

LINKS = {
    ("pcie", "all-reduce"): _STATED,
    ("pcie", "exchange"): _NCCL,
    ("pcie through the host", "all-reduce"): _HOST,
    ("pcie through the host", "exchange"): _HOST,
}
"""Kind of link and operation -> figures; any other kind is an NVLink or as good as one."""


def link_of(gpu: str, operation: str, ranks: int) -> Link:
    """Return the link between GPUs of one machine, for an all-reduce or an exchange.

    More than two GPUs over PCIe always use NCCL.

    Example:
        >>> print(link_of("H200", "all-reduce", 4).source)
        measured: tables of A100, H100 and H200

    Raises:
        UsageError: no figures for the GPU.
    """
    card = find_gpu(gpu)
    if card.link == "pcie" and ranks > 2:
        operation = "exchange"
    figures = LINKS.get((card.link, operation), _NVLINK)

    def reached(pair: tuple[float, float]) -> tuple[float, float]:
        return pair[0] * 1e-6, pair[1] * card.link_bytes_s

    best, typical, worst = map(reached, (figures.best, figures.typical, figures.worst))
    return Link(*typical, best, worst, figures.source)
