"""How what a user gives becomes a router: a name, a word, a file, a function or a chooser.

`wl.router` is here. Each of its forms is a plain function elsewhere: `router.router` decorates,
`registry.built_in` looks up, `model_predictions.predicting_with` binds a model, `user_file.from_file`
loads.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from workloadlab.arguments import listed
from workloadlab.errors import UsageError
from workloadlab.routing.batch import Chooser, batch_router
from workloadlab.routing.families.model_predictions import predicting_with
from workloadlab.routing.learned.artefact import LearnedRouter, load_learned
from workloadlab.routing.registry import built_in
from workloadlab.routing.router import Router
from workloadlab.routing.router import router as decorated
from workloadlab.routing.user_file import from_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from workloadlab.routing.compilation import Kind
    from workloadlab.routing.families.model_predictions import RequestPredictor, StepModel
    from workloadlab.routing.prefix_index import PrefixIndex

    AnyRouter = str | Path | Router | LearnedRouter | Chooser | Callable[..., Any]

__all__ = ["RouterMaker", "named", "resolve", "resolve_all", "router"]


def named(
    name: str, *, model: StepModel | RequestPredictor | None = None, **values: float
) -> Router:
    """Return a built-in router with parameters of one's own, on a fitted model if one is given.

    Raises:
        UsageError: no such built-in or parameter, or a model that it cannot predict with.

    Example:
        >>> named("weighted", queue=2, kv=2, prefix=3).name
        'weighted'
    """
    policy = built_in(name)
    bound = policy if model is None else predicting_with(policy, model)
    return bound.with_params(**values)


def resolve(
    spec: AnyRouter,
    *,
    load: Callable[[str], StepModel | RequestPredictor] | None = None,
) -> Router:
    """Return the router that a word, a path, a function, a chooser or a router of any kind means.

    Args:
        spec: the word, or a function, a Router, or an object with `choose(batch)`; `name=model` is a
            router that predicts latency, on a fitted model; `file.py:name` one of a user's file; and
            `router.json` one that was trained.
        load: returns the model that such a word names.

    Raises:
        UsageError: unknown name (with the nearest ones), or a file without such a router.
        DataError: a trained router that is damaged, or of another version.
    """
    if isinstance(spec, Router):
        return spec
    if isinstance(spec, LearnedRouter):
        return spec.router()
    if isinstance(spec, Chooser):
        return batch_router(spec)
    if callable(spec):
        return decorated(spec)
    if not isinstance(spec, str | Path):
        raise UsageError(
            f"{spec!r} is no router", fix="give a name, FILE.py:NAME, a function or a Router"
        )
    return _by_word(str(spec), load)


def resolve_all(
    specs: AnyRouter | Iterable[AnyRouter],
    *,
    load: Callable[[str], StepModel | RequestPredictor] | None = None,
) -> list[Router]:
    """Return the routers that a list means, or one alone, or words with commas between them.

    Raises:
        UsageError: as `resolve`.

    Example:
        >>> [each.name for each in resolve_all("random, least_requests")]
        ['random', 'least_requests']
    """
    if isinstance(specs, Path | Router | LearnedRouter | Chooser) or callable(specs):
        specs = [specs]
    return [resolve(spec, load=load) for spec in listed("routers", specs)]


def _by_word(spec: str, load: Callable[[str], StepModel | RequestPredictor] | None) -> Router:
    """Return the router that a word of the command line means."""
    path, _, name = spec.rpartition(":")
    if path.endswith(".py") or spec.endswith(".py"):
        return from_file(path, name) if path.endswith(".py") else from_file(spec)
    name, equals, model = spec.partition("=")
    if equals and load:
        return named(name, model=load(model))
    return load_learned(spec).router() if spec.endswith(".json") else built_in(spec)


class RouterMaker:
    """What `wl.router` is: called on a function, on a built-in's name, or asked to read a file."""

    from_file = staticmethod(from_file)

    @overload
    def __call__(self, function: Callable[..., Any], /) -> Router: ...
    @overload
    def __call__(
        self, name: str, /, *, model: StepModel | RequestPredictor = ..., **values: float
    ) -> Router: ...
    @overload
    def __call__(
        self,
        *,
        kind: Kind = "score",
        needs: Iterable[str] = (),
        uses: Iterable[str] = (),
        params: Mapping[str, float] | Iterable[float] = (),
        name: str | None = None,
        memory: Any = None,
        index: PrefixIndex | None = None,
        family: str = "user",
        formula: str = "",
        source: str = "",
    ) -> Callable[[Callable[..., Any]], Router]: ...
    def __call__(  # type: ignore[misc]  # mypy reads the keywords of the third form otherwise
        self, what: Callable[..., Any] | str | None = None, /, **options: Any
    ) -> Router | Callable[[Callable[..., Any]], Router]:
        """Turn a plain function into a router, or name a built-in with parameters of one's own.

        Args:
            what: (request, instance[, params]) -> score, or with kind="choose"
                (request, instances[, params[, memory]]) -> index or -1. `memory` is an array of floats,
                64 and 16 for each instance, zero at the start of a run, that the function may write.
                Or a built-in's name; then the options are its parameters by name and, of a router that
                predicts latency, `model`: a LatencyModel or a RequestModel to predict with.
            options: of a function:
                kind: "score" or "choose".
                needs: any of "oracle", "session", "predicted_output", "prefix".
                uses: the same, for what the router can do without.
                params: starting values of `params`, by name or by place.
                name: defaults to the function's name.
                index: a PrefixIndex, if it guesses what is cached from what it sent; it then reads
                    indexed_tokens.
                memory: the places in `memory` that have names: see `memory_slots`.
                family: what it is listed under.
                formula: the score or the choice, in one line.
                source: where the policy comes from.

        Raises:
            UsageError: wrong number of arguments, unknown needs, undeclared use of the true length, an
                unknown built-in or parameter.

        Example:
            >>> @router
            ... def emptiest(request, instance):
            ...     return instance.queued_tokens + 100 * instance.running
            >>> emptiest.name, emptiest.kind
            ('emptiest', 'score')
            >>> router("weighted", queue=2, kv=2, prefix=3).name
            'weighted'
        """
        if isinstance(what, str):
            return named(what, **options)
        return decorated(**options) if what is None else decorated(what, **options)


router = RouterMaker()
