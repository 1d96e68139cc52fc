"""`score`: runs, or a log, to a scoreboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloadlab.arguments import checked, members, words
from workloadlab.errors import UnsupportedError, UsageError
from workloadlab.hints import did_you_mean
from workloadlab.scoring.fidelity import fidelity
from workloadlab.scoring.imbalance import imbalance
from workloadlab.scoring.load.knee import kept_growth, knees, paired_growth
from workloadlab.scoring.measure import run_intervals
from workloadlab.scoring.metric import Context, Rent
from workloadlab.scoring.metrics import run_metrics
from workloadlab.scoring.paired import paired_differences
from workloadlab.scoring.run_score import KeptScore, RunScore
from workloadlab.scoring.saturation import saturation
from workloadlab.scoring.scoreboard import Scoreboard
from workloadlab.scoring.service_level import SLO, targets_words
from workloadlab.scoring.slices import slices_of
from workloadlab.scoring.timings import read_timings
from workloadlab.trace import MANIFEST, Manifest, RunInfo, Runs, Trace, read_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloadlab.scoring.paired import Key
    from workloadlab.scoring.slices import Slice
    from workloadlab.scoring.timings import Timings
    from workloadlab.trace import AnyTrace

__all__ = ["keeps_only_scores", "open_runs", "score", "score_run"]

USUAL_BASELINE = "round_robin"


@checked
def score(
    runs: Runs | Trace | str | Path,
    *,
    slo: SLO | str | None = None,
    observed: AnyTrace | None = None,
    baseline: str | None = None,
    rent: Rent | Mapping[str, Rent] | None = None,
    slices: Sequence[str] = (),
) -> Scoreboard:
    """Score every run of a replay, or a log with timings.

    Args:
        runs: from `replay`, the path of a folder of runs, or a trace with timings or its path.
        slo: targets for attainment and goodput; also as words, "ttft=500ms,tpot=0.05".
        observed: a trace, or its path, with observed timings of the same requests; adds `fidelity` to
            each run.
        baseline: the router that the others are compared with; None for round_robin, or the first.
        rent: what the cluster costs, for cost and energy per million tokens; of joined runs by the name
            of the cluster.
        slices: by what to tell requests apart besides: `tenant`, `class`, `model`, `task`, `input` for
            buckets of prompt lengths, or `hour`; see `Scoreboard.slices`.

    Raises:
        UsageError: no runs, no such baseline or slice, or `observed` holds other requests, or those at
            another rate than every run.
        UnsupportedError: `observed`, or a trace that is scored, has no timings.

    Example:
        >>> from workloadlab import SLO, Cluster, LatencyModel, Trace, replay
        >>> trace = Trace.of([(0, 10, 3), (0, 10, 3)])
        >>> cluster = Cluster.uniform(1, LatencyModel.linear(constant_s=0.5), step_overhead_s=0.0)
        >>> board = score(replay(trace, cluster, routers=["random"]), slo=SLO(ttft_s=1.0))
        >>> run = board.runs[0]
        >>> run.ttft_s.mean, run.tpot_s.p99, run.slo_attainment
        (0.5, 0.5, 1.0)
    """
    slo = None if slo is None else SLO.of(slo)
    slices = words("slices", slices)
    if isinstance(runs, str | Path) and keeps_only_scores(runs):
        if observed is not None or slices:
            raise UsageError(
                "holds scores of a sweep and no outcomes, which observed timings and slices need",
                where=str(runs),
                fix="sweep again with --keep outcomes",
            )
        kept = Manifest.read(Path(runs))
        routers = list(dict.fromkeys(info.router for info in kept.runs))
        return _board_of_scores(Path(runs), kept, slo=slo, baseline=_baseline(routers, baseline))
    runs = open_runs(runs)
    truth = None if observed is None else Trace.open(observed)
    if not len(runs):
        raise UsageError("there are no runs to score")
    if truth is not None and all(info.rate_scale != 1 for info in runs.infos):
        raise UsageError(
            "the log was observed at its own rate, and no run is at that",
            fix="replay it at --rate-scale 1 too",
        )
    if rent is not None:
        members("rent", rent.values() if isinstance(rent, Mapping) else rent, Rent)
    read = [(info, read_timings(trace)) for info, trace in runs]
    scores: list[RunScore] = []
    found_slices: list[Slice] = []
    for (info, timings), trace in zip(read, runs.traces, strict=True):
        own = rent.get(info.cluster) if isinstance(rent, Mapping) else rent
        context = Context(slo=slo, instances=info.instances, rent=own)
        found_slices += slices_of(info, timings, context, slices)
        fit = fidelity(trace, truth) if truth is not None and info.rate_scale == 1 else None
        scores.append(score_run(info, timings, context, fit))
    unsteady = _unsteady(scores)
    return Scoreboard(
        scores,
        paired_differences(read, Context(slo=slo), unsteady),
        slo.to_dict() if slo else {},
        runs.cluster,
        _baseline(list(dict.fromkeys(info.router for info in runs.infos)), baseline),
        found_slices,
        knees(_scales(scores), paired_growth(read, Context(slo=slo)), unsteady),
    )


def score_run(
    info: RunInfo, timings: Timings, context: Context, fit: dict[str, Any] | None = None
) -> RunScore:
    """Return the score of one run.

    Args:
        info: of the run.
        timings: of its requests.
        context: targets, instances and rent.
        fit: errors against observed timings, where there are any.
    """
    return RunScore(
        run_id=info.run_id,
        router=info.router,
        rate_scale=info.rate_scale,
        seed=info.seed,
        metrics=run_metrics(timings, context),
        steps=info.steps,
        steps_outside_domain=info.steps_outside_domain,
        fidelity=fit,
        intervals=run_intervals(timings, context),
        saturation=saturation(timings),
        imbalance=imbalance(timings, info.instances),
    )


def keeps_only_scores(folder: str | Path) -> bool:
    """Say whether a folder is of a sweep that kept no outcomes.

    Raises:
        DataError: its manifest is damaged.
    """
    return (Path(folder) / MANIFEST).is_file() and not Manifest.read(Path(folder)).has_outcomes


def open_runs(runs: Runs | Trace | str | Path) -> Runs:
    """Return runs as they are, opened from a folder, or made of one log with timings.

    Raises:
        UsageError: no such folder or file.
        UnsupportedError: a log without timings.
    """
    if isinstance(runs, str | Path):
        path = Path(runs)
        if not path.exists():
            raise UsageError(
                "no such folder of runs, nor log with timings",
                where=str(path),
                fix="replay a trace first: workloadlab replay TRACE -o FOLDER",
            )
        runs = Trace.open(path) if path.is_file() or read_parts(path) else Runs.open(path)
    if isinstance(runs, Runs):
        return runs
    if not isinstance(runs, Trace):
        raise UsageError(
            f"runs of type {type(runs).__name__}",
            fix="give the folder of a replay, what wl.replay returned, or a log with timings",
        )
    if not runs.has("e2e_ns"):
        raise UnsupportedError(
            "this trace does not say when its requests ended, so there is nothing to score",
            where=str(runs.path) if runs.path else None,
            fix="replay it, and score the folder: workloadlab replay TRACE -o FOLDER",
        )
    instances = int(runs.read("instance_id")["instance_id"].drop_nulls().n_unique())
    info = RunInfo(
        run_id="observed", router="observed", rate_scale=1.0, seed=0, instances=instances
    )
    return Runs((info,), (runs,))


def _board_of_scores(
    folder: Path, manifest: Manifest, *, slo: SLO | None, baseline: str
) -> Scoreboard:
    """Return the board of a sweep that kept its scores; without outcomes it compares no pairs.

    Args:
        folder: of the sweep.
        manifest: of the folder.
        slo: targets, if any are asked for: those of the sweep.
        baseline: the router that the others are compared with.

    Raises:
        UsageError: other targets than the sweep's, or no such baseline.
        DataError: a score is missing or damaged.
    """
    files = [manifest.files[info.run_id]["score"].at(folder) for info in manifest.runs]
    read = [KeptScore.read(file) for file in files]
    targets = read[0].slo
    if slo is not None and slo.to_dict() != targets:
        raise UsageError(
            f"these scores were made with {targets_words(targets) or 'no targets'}, and their "
            "outcomes were not kept",
            where=str(folder),
            fix="sweep again with these targets, or with --keep outcomes",
        )
    scores = [kept.score for kept in read]
    bends = knees(_scales(scores), kept_growth(scores), _unsteady(scores))
    return Scoreboard(scores, [], targets, manifest.cluster, baseline, [], bends)


def _unsteady(scores: Sequence[RunScore]) -> set[Key]:
    """Return the routers and rates at which requests pile up."""
    return {(run.router, run.rate_scale) for run in scores if not run.steady}


def _scales(scores: Sequence[RunScore]) -> dict[str, list[float]]:
    """Return by router the rates that it ran at, ascending."""
    return {
        router: sorted({run.rate_scale for run in scores if run.router == router})
        for router in dict.fromkeys(run.router for run in scores)
    }


def _baseline(routers: list[str], asked: str | None) -> str:
    if asked is None:
        return USUAL_BASELINE if USUAL_BASELINE in routers else routers[0]
    if asked not in routers:
        raise UsageError(f"no router is called {asked!r}", fix=did_you_mean(str(asked), routers))
    return asked
