"""What a request's prompt means to an instance: the tokens and blocks that are still to do.

Functions of the records that every router reads, in tokens unless the name says otherwise. As in
`choices`, all is plain Python, and is compiled with the router that calls it.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "blocks_of",
    "blocks_of_prompt",
    "blocks_of_request",
    "cached_share",
    "context_with",
    "indexed_share",
    "prompts_ahead",
    "prompts_with",
    "requests_ahead",
    "rest_of_prompt",
    "share_of_prompt",
    "uncached_tokens",
    "unindexed_tokens",
]


def rest_of_prompt(request: Any, known: Any) -> Any:
    """Return the tokens of the prompt behind the first `known`."""
    return request.input_tokens - known


def share_of_prompt(request: Any, share: Any) -> Any:
    """Return how many tokens a share of the prompt is, not rounded."""
    return share * request.input_tokens


def uncached_tokens(request: Any, instance: Any) -> Any:
    """Return the prompt tokens that the instance does not hold, and would have to prefill."""
    return request.input_tokens - instance.cached_tokens


def unindexed_tokens(request: Any, instance: Any) -> Any:
    """Return the prompt tokens that the router does not know the instance to hold."""
    return request.input_tokens - instance.indexed_tokens


def cached_share(request: Any, instance: Any) -> Any:
    """Return the share of the prompt that the instance holds, 0 to 1."""
    return instance.cached_tokens / request.input_tokens


def indexed_share(request: Any, instance: Any) -> Any:
    """Return the share of the prompt that the router knows the instance to hold, 0 to 1."""
    return instance.indexed_tokens / request.input_tokens


def prompts_ahead(instance: Any) -> Any:
    """Return the prompt tokens ahead: those reported, and those sent since."""
    return instance.queued_tokens + instance.sent_tokens_since_report


def requests_ahead(instance: Any) -> Any:
    """Return the requests ahead: those reported, in the batch or the queue, and those sent since."""
    return instance.running + instance.waiting + instance.sent_since_report


def prompts_with(request: Any, instance: Any) -> Any:
    """Return the prompt tokens ahead and those of the request itself."""
    return prompts_ahead(instance) + request.input_tokens


def context_with(request: Any, instance: Any) -> Any:
    """Return the context that the instance holds once it has prefilled the prompt too."""
    return instance.context_tokens + request.input_tokens


def blocks_of(tokens: Any, block_size: Any) -> int:
    """Return the KV blocks that tokens take, the last one perhaps in part."""
    return int((tokens + block_size - 1) // block_size)


def blocks_of_prompt(request: Any, instance: Any) -> int:
    """Return the KV blocks that the prompt takes on the instance."""
    return blocks_of(request.input_tokens, instance.block_size)


def blocks_of_request(request: Any, instance: Any) -> int:
    """Return the KV blocks that the prompt and the predicted output take on the instance."""
    return blocks_of(request.input_tokens + request.predicted_output_tokens, instance.block_size)
