"""Run the notebooks and keep their outputs, so that they open on the web with their figures.

`make notebooks` runs all of them; a name runs one. Outputs keep one kind each (a picture, else text), no
counts and no times, so that the same code gives the same file. It also draws the README's picture.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
KEPT = ("image/png", "text/html", "text/plain")
LINES = 60
SECONDS = 300
PICTURE = HERE.parent / "docs" / "ttft.png"


def digest(notebook: Any) -> str:
    """Return what tells whether outputs belong to the cells above them."""
    text = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(text.encode()).hexdigest()


def kept(output: Any) -> Any:
    """Return an output with one kind of data and nothing that changes from run to run."""
    if output.output_type == "stream":
        output.text = "\n".join(output.text.splitlines()[:LINES]) + "\n"
        return output
    data = dict(output.data)
    if "image/png" not in data and "<svg" in data.get("text/html", ""):
        data.pop("text/html")  # the web page that shows notebooks drops inline SVG
    best = next((kind for kind in KEPT if kind in data), None)
    output.data = {} if best is None else {best: data[best]}
    if best == "text/html":
        output.data["text/plain"] = data["text/plain"]
    output.metadata = {}
    if output.output_type == "execute_result":
        output.execution_count = None
    return output


def run(path: Path) -> None:
    """Run a notebook and write it back with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(HERE)}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [kept(out) for out in cell.outputs if out.get("name") != "stderr"]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "workloadlab": {"cells": digest(notebook)}}
    nbformat.write(notebook, path)


def draw_picture() -> None:
    """Draw the README's picture: TTFT of five routers on the sample log."""
    import workloadlab as wl
    from workloadlab.reporting.notebook.figure import figure_of
    from workloadlab.reporting.routers.latency import plot_latency, timings_of
    from workloadlab.scoring.metrics import metric_named

    trace = wl.ingest(HERE.parent / "traces" / "chat.csv")
    cluster = wl.Cluster.uniform(4, "rtxpro6000-llama-3.1-8b", max_num_seqs=128)
    routers = "random,round_robin,power_of_two,least_tokens,least_requests"
    runs = wl.replay(trace, cluster, routers=routers, rate_scale=17)
    board = wl.score(runs)
    timings = timings_of(board, runs, 17.0)
    figure = figure_of(plot_latency(metric_named("ttft_s"), board, timings, 17.0, "routers"))
    PICTURE.write_bytes(figure._repr_png_())


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(HERE.parent))
    names = sys.argv[1:]
    for each in sorted(HERE.glob("*.ipynb")):
        if not names or each.stem in names:
            run(each)
    if not names:
        draw_picture()
