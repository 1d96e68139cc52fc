"""What a decision rests on besides the answer: other routers, lost instances, growth, an autoscaler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloadlab.tables import duration
from workloadlab.words import listed, share, share_beside, three, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloadlab.planning.answer import Plan

__all__ = ["advice"]


def advice(plan: Plan) -> Iterator[str]:
    """Say what else a plan found, a sentence each; nothing where no number of instances is enough."""
    if plan.instances is None:
        return
    yield from _other_routers(plan)
    yield from _loss(plan)
    at = "at the peak " if plan.harder else ""
    doubted = _doubt([f"at {times(w.factor)}" for w in plan.growth if w.untold], len(plan.growth))
    if plan.growth and {w.instances for w in plan.growth} == {plan.peak.instances}:
        yield f"Up to {plan.growth[-1].change} as many are enough{doubted}."
    elif plan.growth:
        said = [f"{w.instances:,} at {times(w.factor)}" if w.instances else
                f"no number is enough at {times(w.factor)}" for w in plan.growth]  # fmt: skip
        yield f"If {at}traffic grows, it takes {listed(said)}{doubted}."
    if plan.error:
        count = f"{plan.error.instances:,}" if plan.error.instances else "no number is enough"
        yield f"If {at}{plan.error.change}, it takes {count}{_doubt([plan.error.untold])}."
    better = [w for w in plan.engine if w.instances and w.instances < (plan.peak.instances or 0)]
    if better:
        best = min(better, key=lambda each: each.instances or 0)
        verb = "is" if best.instances == 1 else "are"
        yield (
            f"With {best.change}, {best.instances:,} {verb} enough{' at the peak' if at else ''}"
            f"{_doubt([best.untold])}."
        )
    yield from _autoscaler(plan)


def _doubt(doubted: list[str], of: int = 1) -> str:
    """Say of which answers nobody can tell whether the load is held for longer, as a clause; "" of none.

    Args:
        doubted: each as a place in a sentence, "at x2"; an empty one is told.
        of: how many answers there are; if all are doubted, the places are not said.
    """
    places = [place for place in doubted if place]
    if not places:
        return ""
    where = "" if len(places) == of else f" {listed(places)}"
    return f"; whether the load is held{where} for longer cannot be told"


def _other_routers(plan: Plan) -> Iterator[str]:
    others = [r for r in plan.routers if r.router != plan.router]
    if not others:
        return
    needed = plan.routers[0].instances
    if needed == 1:
        yield "One instance leaves nothing to route."
        return
    same = [r.router for r in others if r.instances == needed]
    said = [f"{r.router} needs {r.instances:,}" if r.instances else
            f"with {r.router} no number is enough" for r in others
            if r.router not in same]  # fmt: skip
    said += [f"{listed(same)} {'needs' if len(same) == 1 else 'need'} as many"] if same else []
    doubted = [f"with {r.router}" for r in others if r.untold]
    yield (
        f"{'At the peak, of' if plan.harder else 'Of'} the other routers, {listed(said)}"
        f"{_doubt(doubted, len(others))}."
    )
    if plan.harder:
        yield f"The other windows ran with {plan.router} alone, the choice at the peak."


def _loss(plan: Plan) -> Iterator[str]:
    """Say what the loss of an instance costs, in the window that needs most of them."""
    met, steady, where = None, True, ""
    if plan.harder:
        met = plan.harder.met_with_fewer
        steady = met is None or met < plan.attain
        where = f"in the window from {duration(plan.harder.start_s) or '0 s'} on "
    elif plan.lost:
        met, steady = plan.lost.met, plan.lost.steady
    if met is not None and plan.instances is not None:
        yield (
            f"If one of {plan.instances:,} instances is lost, {where}{share_beside(met, plan.attain)} "
            f"of the requests meet the targets{'' if steady else ', and requests pile up'}; "
            f"{plan.instances + 1:,} survive the loss of one."
        )


def _autoscaler(plan: Plan) -> Iterator[str]:
    fixed = plan.gpu_hours
    perfect = plan.autoscaled_gpu_hours(start_up=False)
    started = plan.autoscaled_gpu_hours(start_up=True)
    if fixed and perfect is not None and started is not None:
        width = duration(plan.hours[0].length_s)
        yield (
            f"A perfect autoscaler with steps of {width} takes {three(perfect)} of {three(fixed)} "
            f"GPU-hours ({share(max(0.0, 1 - perfect / fixed))} less), or {three(started)} if an "
            f"instance takes {duration(plan.start_up_s)} to start; no real one takes fewer."
        )
