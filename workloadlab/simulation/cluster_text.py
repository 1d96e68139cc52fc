"""A cluster as a file that people edit: TOML that says where each value comes from."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from workloadlab.simulation.engines import engine_named
from workloadlab.simulation.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Collection

    from workloadlab.simulation.cluster import Cluster

__all__ = ["cluster_text"]


def cluster_text(
    cluster: Cluster, latency: str, *, logged: Collection[str] = (), given: Collection[str] = ()
) -> str:
    """Write a cluster of one pool as TOML; `Cluster.load` reads the same cluster from it.

    The router's side is left at its defaults.

    Args:
        cluster: without events.
        latency: name or path by which its latency model is found again.
        logged: attributes of the pool that a log decided.
        given: attributes that the user decided.

    Example:
        >>> from workloadlab import Cluster
        >>> made = Cluster.uniform(2, "rtx4090-llama-3.1-8b", max_num_seqs=64)
        >>> lines = cluster_text(made, "rtx4090-llama-3.1-8b", given=["max_num_seqs"]).splitlines()
        >>> lines[0], lines[8]
        ('[[pool]]', 'max_num_seqs = 64                      # given')
    """
    [pool] = cluster.pools
    label, engine = engine_named(pool.engine)
    ships = engine.settings(None, pool.entry_point)
    why = {
        **dict.fromkeys(ships, f"as {label} ships"),
        "kv_blocks": "what fits beside the weights",
        "max_model_len": "the context of the model",
        "engine": "the newest known",
        **dict.fromkeys(given, "given"),
        **dict.fromkeys(logged, "from the log"),
    }
    lines = []
    for key in fields(Pool):
        name, value = key.name, getattr(pool, key.name)
        if name == "latency":
            lines.append(_line(name, latency, "given"))
        elif name == "kv_blocks" and value is None:
            lines.append(
                "# kv_blocks: no limit, for the GPU or the shape of the model is not known"
            )
        elif name == "max_model_len" and value is None:
            lines.append("# max_model_len: no limit, for the model is not known")
        elif name in why or name in ("name", "instances"):
            lines.append(_line(name, value, why.get(name, "default")))
    return "\n".join(["[[pool]]", *lines, ""])


def _line(name: str, value: Any, why: str) -> str:
    return f"{f'{name} = {_toml(value)}':<38} # {why}"


def _toml(value: Any) -> str:
    if value == math.inf:
        return "inf"
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return json.dumps(value, ensure_ascii=False)
