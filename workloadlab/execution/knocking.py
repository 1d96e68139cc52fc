"""Whether a cluster answers at an address, asked by hand: the libraries wait for minutes."""

from __future__ import annotations

import socket

from workloadlab.errors import MachineError, UsageError
from workloadlab.execution.units import PATIENCE_S

__all__ = ["knock"]

GREETINGS = {
    "dask": b"",
    "ray": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
}
"""What a cluster answers to: Dask's scheduler speaks first, Ray's head is gRPC, so HTTP/2 (RFC 9113)."""


def knock(name: str, address: str) -> None:
    """Look whether somebody answers at `scheme://host:port`.

    Args:
        name: of the engine.
        address: where.

    Raises:
        UsageError: the address has no host and port.
        MachineError: nobody answers in time.
    """
    scheme, _, place = address.rpartition("://")
    host, colon, port = place.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65_535:
        raise UsageError(
            f"--address {address} has no host and port", fix="write --address tcp://HOST:PORT"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S) as line:
            if scheme in ("", "tcp", "ray"):
                line.sendall(GREETINGS[name])
                line.recv(1)
    except OSError as error:
        raise MachineError(
            f"no {name.capitalize()} cluster answers at {address}: {error.strerror or error}",
            fix="check that it runs, and that this machine reaches it",
        ) from None
