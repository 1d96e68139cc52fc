"""workloadlab: an offline laboratory for LLM serving.

ingest request logs, characterize prompt/output lengths and phase costs, fit latency predictors for a
GPU, replay the trace through a vectorized router simulator, score heuristic and learned routers.

Public names are imported on first use, so that `import workloadlab` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from workloadlab import display
from workloadlab._version import __version__

if TYPE_CHECKING:
    from workloadlab.calibration.calibrate import calibrate as calibrate
    from workloadlab.characterization import Profile as Profile
    from workloadlab.characterization import characterize as characterize
    from workloadlab.characterization import compare as compare
    from workloadlab.errors import WorkloadlabError as WorkloadlabError
    from workloadlab.exchange import export as export
    from workloadlab.handbook import formats as formats
    from workloadlab.handbook import metrics as metrics
    from workloadlab.handbook import models as models
    from workloadlab.handbook import queries as queries
    from workloadlab.handbook import routers as routers
    from workloadlab.handbook import signals as signals
    from workloadlab.ingestion import ingest as ingest
    from workloadlab.latency import LatencyModel as LatencyModel
    from workloadlab.latency import fit as fit
    from workloadlab.learning import LengthPredictor as LengthPredictor
    from workloadlab.learning import time_blocks as time_blocks
    from workloadlab.learning.train import train as train
    from workloadlab.oracles import oracle_labels as oracle_labels
    from workloadlab.oracles import replay_oracles as replay_oracles
    from workloadlab.oracles.registry import oracle as oracle
    from workloadlab.planning import Plan as Plan
    from workloadlab.planning import plan as plan
    from workloadlab.reporting import report as report
    from workloadlab.routing import PrefixIndex as PrefixIndex
    from workloadlab.routing.router import router as router
    from workloadlab.scoring import SLO as SLO
    from workloadlab.scoring import Scoreboard as Scoreboard
    from workloadlab.scoring import score as score
    from workloadlab.simulation import Cluster as Cluster
    from workloadlab.simulation import Environment as Environment
    from workloadlab.simulation import Pool as Pool
    from workloadlab.simulation.metrics import replay_metrics as replay_metrics
    from workloadlab.simulation.replay import replay as replay
    from workloadlab.simulation.saturation import saturation as saturation
    from workloadlab.sql import query as query
    from workloadlab.sweeping.sweep import sweep as sweep
    from workloadlab.trace import Runs as Runs
    from workloadlab.trace import Trace as Trace

_HOMES = {
    "Cluster": "simulation",
    "Environment": "simulation",
    "LatencyModel": "latency",
    "LengthPredictor": "learning",
    "Plan": "planning",
    "Pool": "simulation",
    "PrefixIndex": "routing",
    "Profile": "characterization",
    "Runs": "trace",
    "SLO": "scoring",
    "Scoreboard": "scoring",
    "Trace": "trace",
    "WorkloadlabError": "errors",
    "calibrate": "calibration",
    "characterize": "characterization",
    "compare": "characterization",
    "export": "exchange",
    "fit": "latency",
    "formats": "handbook",
    "ingest": "ingestion",
    "metrics": "handbook",
    "models": "handbook",
    "oracle": "oracles",
    "oracle_labels": "oracles",
    "plan": "planning",
    "queries": "handbook",
    "query": "sql",
    "replay": "simulation",
    "replay_metrics": "simulation",
    "replay_oracles": "oracles",
    "report": "reporting",
    "router": "routing",
    "routers": "handbook",
    "saturation": "simulation",
    "score": "scoring",
    "signals": "handbook",
    "sweep": "sweeping",
    "time_blocks": "learning",
    "train": "learning",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from workloadlab.hints import did_you_mean

        near = did_you_mean(name, __all__, all_of_them="dir(workloadlab)")
        hint = "" if name.startswith("_") else f": {near}"
        raise AttributeError(f"module 'workloadlab' has no attribute {name!r}{hint}")
    value = getattr(import_module(f"workloadlab.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _cell(thing: Any) -> str:
    from workloadlab.reporting.notebook.cell import cell_of

    return cell_of(thing)


def _plots(trace: Any) -> Any:
    from workloadlab.reporting.notebook.plots import Plots

    return Plots(trace)


display.drawers.update(cell=_cell, plots=_plots)
