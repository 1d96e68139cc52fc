"""Clusters: a plain one, and any that the engines can simulate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from support.latency_models import fitted_on_small_steps
from workloadlab.latency import ESTIMATORS, LatencyModel
from workloadlab.latency.step_terms import StepTerms, Term
from workloadlab.simulation import Cluster, Pool
from workloadlab.simulation.engine.record_types import BATCHINGS, ENDS, ORDERS

__all__ = ["SYNCHRONOUS", "clusters", "in_blocks_of", "uniform_cluster"]

SYNCHRONOUS = {"prefix_caching": False, "async_scheduling": False}
"""Switches of an engine whose steps can be added up by hand: the overhead counts, nothing is reused."""


def uniform_cluster(instances: int = 2, *, constant_s: float = 0.01, **options: Any) -> Cluster:
    """Return a synchronous cluster of equal instances whose every step takes one time."""
    model = LatencyModel.linear(constant_s=constant_s)
    return Cluster.uniform(instances, model, **SYNCHRONOUS | options)


def in_blocks_of(cluster: Cluster, size: int) -> Cluster:
    """Return the cluster with blocks of the trace's size wherever it caches prefixes."""
    return replace(
        cluster,
        pools=[replace(p, block_size=size) if p.prefix_caching else p for p in cluster.pools],
    )


BY_HAND = st.builds(
    LatencyModel.linear,
    constant_s=st.sampled_from([0.0, 0.01, 0.25]),
    prefill_token_s=st.sampled_from([0.0, 1e-4]),
    prefill_context_s=st.sampled_from([0.0, 1e-7]),
    decode_seq_s=st.sampled_from([0.0, 1e-3]),
    decode_context_s=st.sampled_from([1e-6, 3e-5]),
)
FITTED = st.sampled_from([fitted_on_small_steps(name) for name in sorted(ESTIMATORS)])
"""Fitted here and not in a draw: a fit takes random numbers that hypothesis does not know of."""


def exact(value: float) -> Term:
    """Return a term that is known."""
    return Term(value, value, value, "drawn")


TERMS = st.builds(
    StepTerms,
    graph_saving_s=st.sampled_from([0.0, 0.002]).map(exact),
    longest_context_s=st.sampled_from([0.0, 1e-4]).map(exact),
    whole_context_seqs=st.sampled_from([0.0, 2.0, 3.5]).map(exact),
    dense_factor=st.sampled_from([1.0, 1.2]).map(exact),
    decode_beside_prompt_s=st.sampled_from([0.0, 0.003]).map(exact),
    dense_tokens=st.just((200.0, 500.0, 900.0)),
    dense_s=st.just((0.01, 0.03, 0.04)),
)
COMPOSED = st.builds(replace, st.one_of(BY_HAND, FITTED), terms=TERMS)
MODELS = st.one_of(BY_HAND, BY_HAND, FITTED, COMPOSED)

BATCHES = st.sampled_from(
    [
        (1, 1),
        (1, 2),
        (1, 5),
        (2, 2),
        (2, 7),
        (3, 5),
        (3, 64),
        (8, 8),
        (8, 64),
        (256, 256),
        (256, 2048),
    ]
)
"""Sequences and tokens of a step: each of these has room for a token of each of those."""


def _pool(batch: tuple[int, int], **options: Any) -> Pool:
    """Make a pool; of settings that exclude each other the one that is rarer gives way."""
    seqs, tokens = batch
    if options["batching"] != "chunked":
        options["prefill_schedule_interval"] = 1
    active = options.pop("max_num_active_seqs")
    options["max_num_active_seqs"] = active and min(active, seqs)
    return Pool(max_num_seqs=seqs, max_num_batched_tokens=tokens, **options)


POOLS = st.builds(
    _pool,
    batch=BATCHES,
    instances=st.integers(1, 3),
    latency=MODELS,
    kv_blocks=st.one_of(st.none(), st.integers(1, 12), st.integers(13, 400)),
    block_size=st.sampled_from([1, 2, 3, 16]),
    max_num_active_seqs=st.sampled_from([None, None, 1, 2]),
    max_model_len=st.sampled_from([None, None, None, 30, 200]),
    prefill_schedule_interval=st.sampled_from([1, 1, 2, 3]),
    max_num_queued_reqs=st.sampled_from([None, None, None, 0, 5]),
    max_num_queued_tokens=st.sampled_from([None, None, None, 0, 60]),
    prefix_caching=st.booleans(),
    reserve_full_isl=st.booleans(),
    watermark=st.sampled_from([0.0, 0.0, 0.1, 0.5]),
    async_scheduling=st.booleans(),
    ends=st.sampled_from(ENDS),
    models=st.sampled_from([(), (), ("a",), ("a", "b")]),
    long_prefill_token_threshold=st.sampled_from([0, 0, 1, 3, 20]),
    batching=st.sampled_from(["chunked", "chunked", *BATCHINGS]),
    queue_order=st.sampled_from(["fcfs", "fcfs", *ORDERS]),
    max_in_flight=st.sampled_from([None, None, None, 1, 4]),
    attention_slots=st.sampled_from([None, None, 1, 2.5, 6]),
    step_noise=st.sampled_from([0.0, 0.0, 0.0, 0.2]),
    step_together=st.sampled_from([False, False, True]),
    step_overhead_s=st.sampled_from([0.0, 0.001]),
    sequence_overhead_s=st.sampled_from([0.0, 0.0, 0.002]),
    max_cudagraph_capture_size=st.sampled_from([None, 0, 2, 6, 300]),
)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """Draw one or two pools with any settings, and the router's side of them."""
    pools = draw(st.lists(POOLS, min_size=1, max_size=2))
    named = [Pool(**{**vars(pool), "name": f"p{i}"}) for i, pool in enumerate(pools)]
    interval = draw(st.sampled_from([0.0, 0.0, 0.05, 0.7]))
    replicas = draw(st.sampled_from([1, 1, 2, 4]))
    return Cluster(
        pools=named,
        signal_interval_s=interval,
        signal_delay_s=draw(st.sampled_from([0.0, 0.12])) if interval else 0.0,
        request_overhead_s=draw(st.sampled_from([0.0, 0.004])),
        decision_overhead_s=draw(st.sampled_from([0.0, 0.0, 0.003, 0.04])),
        max_router_queue=draw(st.sampled_from([None, None, 0, 3])),
        replicas=replicas,
    )
