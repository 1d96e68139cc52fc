"""What a log knows of its engine: settings of a pool, and where a cluster contradicts them."""

from __future__ import annotations

import math
import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import CALLER
from workloadlab.errors import ContradictionWarning, UsageError
from workloadlab.latency import ModelGeometry
from workloadlab.latency.hardware.gpus import plain_dtype
from workloadlab.simulation.engines import engine_named
from workloadlab.simulation.memory import gpu_named
from workloadlab.simulation.pool import Pool
from workloadlab.trace import ENGINE_FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.trace import Trace

__all__ = ["contradictions", "settings_of", "warn_of_contradictions"]

_OF_A_POOL = tuple(
    key.name for key in fields(Pool) if key.name in ENGINE_FACTS and key.name != "instances"
)
"""Facts that are attributes of a pool by the same name."""


def settings_of(trace: Trace) -> dict[str, Any]:
    """Return the attributes of a pool that a log knows.

    Facts of the provenance by their names; instances as the requests name them, or else copies times
    data-parallel ranks; ranks of a mixture of experts step together.

    Example:
        >>> from workloadlab.trace import Provenance, Trace
        >>> facts = {"engine": "vllm", "engine_version": "0.19.0", "dp": 2, "max_num_seqs": 128}
        >>> log = Trace(Trace.of([(0, 10, 5)]).frame, Provenance(reader="log", system=facts))
        >>> settings_of(log)
        {'engine': 'vllm-0.19.0', 'max_num_seqs': 128, 'instances': 2}
    """
    facts = trace.provenance.system
    found = {name: facts[name] for name in _OF_A_POOL if name in facts}
    if "engine" in facts:
        version = facts.get("engine_version")
        found["engine"] = f"{facts['engine']}-{version}" if version else facts["engine"]
    if "kv_cache_dtype" in facts:
        found["kv_cache_dtype"] = plain_dtype(facts["kv_cache_dtype"])
    instances = _instances(trace)
    if instances is not None:
        found["instances"] = instances
    if facts.get("dp", 1) > 1 and _has_experts(facts):
        found["step_together"] = True
    return found


def contradictions(pools: tuple[Pool, ...], trace: Trace) -> list[str]:
    """Say, one sentence each, which facts of a log the pools of a cluster contradict.

    Args:
        pools: of the cluster that the trace is replayed on.
        trace: a log; what its provenance does not know contradicts nothing.

    Example:
        >>> from workloadlab import LatencyModel
        >>> from workloadlab.trace import Provenance, Trace
        >>> served = Provenance(reader="log", system={"max_num_seqs": 128})
        >>> log = Trace(Trace.of([(0, 10, 5)]).frame, served)
        >>> contradictions((Pool(latency=LatencyModel.linear()),), log)
        ["the log's engine had max_num_seqs = 128, pool 'pool' has 256"]
    """
    facts = trace.provenance.system
    sentences = [said for pool in pools for said in _of_the_pool(pool, facts)]
    logged, here = _instances(trace), sum(pool.instances for pool in pools)
    if logged is not None and logged != here:
        sentences.append(
            f"the log was served by {logged:,} instance{'s'[: logged > 1]}, the cluster has {here:,}"
        )
    if "not_simulated" in facts:
        sentences.append(
            f"the log's engine ran with {facts['not_simulated']}, which a replay does not simulate"
        )
    return sentences


def warn_of_contradictions(pools: tuple[Pool, ...], trace: Trace) -> None:
    """Warn of each contradiction, where the trace has timings that an outcome can be held against.

    Warns:
        ContradictionWarning: one for each; at the line that called for a replay.
    """
    if trace.supports("timings"):
        for said in contradictions(pools, trace):
            warnings.warn(said, ContradictionWarning, stacklevel=CALLER)


def _of_the_pool(pool: Pool, facts: dict[str, Any]) -> Iterator[str]:
    for name in _OF_A_POOL:
        if name in facts and name != "engine":
            logged, here = facts[name], getattr(pool, name)
            if name == "kv_cache_dtype":
                logged = plain_dtype(logged)
            if logged != here:
                yield (
                    f"the log's engine had {name} = {_said(logged)}, pool {pool.name!r} has "
                    f"{_said(here)}"
                )
    if "engine" in facts:
        version = facts.get("engine_version", "")
        label = f"{facts['engine']}-{version}" if version else facts["engine"]
        if not _same_engine(label, pool.engine, versioned=bool(version)):
            yield (
                f"the log was served by {facts['engine']} {version}".rstrip()
                + f", pool {pool.name!r} has the defaults of {pool.engine}"
            )
    yield from _of_the_model(pool, facts)


def _of_the_model(pool: Pool, facts: dict[str, Any]) -> Iterator[str]:
    model = pool.latency
    of_model = f"the latency model of pool {pool.name!r} is"
    if "gpu" in facts and not _same_gpu(facts["gpu"], model.gpu):
        yield f"the log was served on {facts['gpu']}, {of_model} of {model.gpu}"
    if "model" in facts and not _same_model(facts["model"], model.model):
        yield f"the log's model is {facts['model']}, {of_model} of {model.model}"
    if "tp" in facts and model.gpu != "unknown" and facts["tp"] != model.tp:
        yield f"the log's engine had tp = {facts['tp']}, {of_model} of tp = {model.tp}"
    if "dtype" in facts and model.dtype is not None and _other_dtype(facts["dtype"], model.dtype):
        yield f"the log's weights were {facts['dtype']}, {of_model} of {model.dtype}"


def _other_dtype(logged: str, here: str) -> bool:
    return plain_dtype(logged) != plain_dtype(here)


def _said(value: Any) -> str:
    if value in (None, math.inf):
        return "no limit"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def _instances(trace: Trace) -> int | None:
    facts = trace.provenance.system
    if trace.supports("instances"):
        return int(trace.read("instance_id")["instance_id"].drop_nulls().n_unique())
    if "instances" in facts or "dp" in facts:
        return int(facts.get("instances", 1) * facts.get("dp", 1))
    return None


def _has_experts(facts: dict[str, Any]) -> bool:
    if facts.get("expert_parallel"):
        return True
    try:
        return ModelGeometry.named(str(facts.get("model"))).experts > 0
    except UsageError:
        return False


def _same_engine(logged: str, here: str, *, versioned: bool) -> bool:
    """Say whether two labels mean the same row of defaults."""
    try:
        _, one = engine_named(logged)
    except UsageError:
        return False
    _, other = engine_named(here)
    return one == other if versioned else one.name == other.name


def _same_gpu(logged: str, here: str) -> bool:
    one, other = gpu_named(logged), gpu_named(here)
    if here == "unknown":
        return True
    return one == other if one and other else logged.lower() == here.lower()


def _same_model(logged: str, here: str) -> bool:
    """Compare shapes, where both are known: fine-tuned models run at the speed of theirs."""
    if here == "unknown":
        return True
    try:
        return ModelGeometry.named(logged) == ModelGeometry.named(here)
    except UsageError:
        return logged.rsplit("/", 1)[-1].lower() == here.rsplit("/", 1)[-1].lower()
