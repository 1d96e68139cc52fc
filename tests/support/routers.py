"""Routers that read what those that ship do not, for comparing one engine with another."""

from __future__ import annotations

from dataclasses import replace

from workloadlab.routing import PrefixIndex, router

__all__ = [
    "at_most_two",
    "by_belief",
    "by_shared_belief",
    "by_truth",
    "careless",
    "every_signal",
    "every_signal_but_decoding",
    "hits_first",
    "prefix_aware",
]


@router(kind="choose")
def at_most_two(request, instances, params, memory):
    """Hold requests in the router's own queue until an instance has fewer than two."""
    for i in range(len(instances)):
        if instances[i].in_flight < 2 and instances[i].fits == 1:
            return i
    return -1


@router(kind="choose")
def careless(request, instances, params, memory):
    """Ignore whether the request fits."""
    memory[0] += 1
    return request.row % len(instances)


@router
def every_signal(request, instance):
    return (
        instance.queued_tokens
        + 2 * instance.running
        + 3 * instance.waiting
        + 0.5 * instance.context_tokens
        + 0.25 * instance.output_tokens_left
        + 5 * instance.kv_blocks_used
        + 7 * instance.sent_since_report
        + 0.3 * instance.sent_tokens_since_report
        - 0.01 * instance.block_size
        + 0.1 * request.input_tokens * instance.index
        + 20 * instance.next_decode_s * instance.relative_speed
        + (request.priority + 2 * request.slo_class + 3 * request.tenant) * instance.pool
        + 0.2 * abs(instance.model - request.model) * request.queue_length
    )


@router
def every_signal_but_decoding(request, instance):
    """All that stands while an engine only decodes, so that such engines stay behind."""
    return (
        instance.queued_tokens
        + 2 * instance.running
        + 3 * instance.waiting
        + 4 * instance.in_flight
        + 7 * instance.sent_since_report
        + 0.3 * instance.sent_tokens_since_report
        + 0.1 * request.predicted_output_tokens * instance.index
    )


@router(needs={"prefix"})
def prefix_aware(request, instance):
    return request.input_tokens - instance.cached_tokens + 10 * instance.in_flight


@router(needs={"prefix"}, index=PrefixIndex(kind="tree", capacity_tokens=90, ttl_s=2.0))
def by_belief(request, instance):
    return (
        request.input_tokens
        - instance.indexed_tokens
        + 0.1 * instance.index_size_tokens
        + 10 * instance.in_flight
    )


by_shared_belief = replace(
    by_belief,
    name="by_shared_belief",
    index=PrefixIndex(capacity_tokens=150, sweep_s=0.3, shared=True),
)


@router(uses={"prefix"})
def hits_first(request, instance):
    return request.input_tokens - instance.cached_tokens + 10 * instance.in_flight


@router(needs={"oracle"}, uses={"prefix"})
def by_truth(request, instance):
    return (
        (request.prefix_key * 7 + instance.index * 3) % 5
        + 0.3 * instance.output_tokens_left
        + abs(request.output_tokens - request.predicted_output_tokens)
    )
