"""Which routers to try first, by what a serving team has."""

from __future__ import annotations

__all__ = ["SITUATIONS"]

SITUATIONS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "No gateway yet, or plain load balancing",
        ("round_robin", "least_requests", "power_of_two"),
        "The floor and the first step above it; count requests, nothing else.",
    ),
    (
        "Prompts differ much in length",
        ("least_tokens", "weighted", "mixing_seconds"),
        "Count the work that waits, not the requests.",
    ),
    (
        "Chats and agents with shared prefixes",
        ("lmetric", "sglang_cache_aware", "llmd_default"),
        "Send a prompt where its prefix is cached, as long as that instance is not behind.",
    ),
    (
        "Sessions, but no block ids in the log",
        ("session_affinity", "power_of_two"),
        "Keep a session where its history is.",
    ),
    (
        "Several kinds of GPU",
        ("predicted_latency", "mixing_seconds", "least_work_left"),
        "Predict how long each instance will take; counts do not compare.",
    ),
    (
        "Engines report late",
        ("power_of_two", "least_requests", "mixing_seconds"),
        "Trust what the router itself counts; many routers herd onto one stale minimum.",
    ),
    (
        "Close to saturation",
        ("hold_until_fit", "llmd_saturation"),
        "Hold a request back until an instance has room, instead of choosing a queue for it.",
    ),
)
"""Situation, routers in the order to try them, and why."""
