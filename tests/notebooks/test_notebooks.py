"""Every notebook runs top to bottom, and is committed with fresh, small outputs that a web page shows."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[2]
digest = runpy.run_path(str(REPOSITORY / "notebooks" / "run.py"))["digest"]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
SECONDS_PER_CELL = 60
COMPILING = "compiling the simulator"
"""What a kernel says where no test before it has compiled what its notebook needs."""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel of this interpreter, whatever kernels the machine has; its files in a scratch folder."""
    scratch = tmp_path_factory.mktemp("jupyter")
    spec = scratch / "kernels" / "python3"
    spec.mkdir(parents=True)
    launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": launch, "display_name": "Python 3", "language": "python"})
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(scratch))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(scratch / "runtime"))
        patch.setenv("IPYTHONDIR", str(scratch / "ipython"))
        yield "python3"


@pytest.fixture(scope="module")
def ran(kernel):
    """All notebooks by path, run in one kernel that forgets all names between two, and the files before.

    Last it runs the first cell of each again, from the repository.
    """
    before = files()
    notebooks = {path: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    firsts = [code_cells(notebook)[0].source for notebook in notebooks.values()]
    again = [nbformat.v4.new_code_cell(source) for source in (f"%cd -q {REPOSITORY}", *firsts)]
    cells = []
    for part in (*(notebook.cells for notebook in notebooks.values()), again):
        cells += [*part, nbformat.v4.new_code_cell("%reset -f")]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        timeout=SECONDS_PER_CELL,
        kernel_name=kernel,
        resources={"metadata": {"path": str(REPOSITORY / "notebooks")}},
    )
    client.execute()
    return notebooks, before


def files():
    return sorted(
        path for name in ("notebooks", "traces") for path in (REPOSITORY / name).iterdir()
    )


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@each_notebook
def test_committed_with_the_outputs_of_its_own_cells(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.workloadlab.cells == digest(notebook), "run `make notebooks`"
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs), "a figure is shown"
    assert all(cell.execution_count is None for cell in code_cells(notebook))
    for output in outputs:
        assert output.output_type in ("stream", "display_data", "execute_result")
        assert len(json.dumps(output)) < 100_000
    assert path.stat().st_size < 400_000


@each_notebook
def test_runs_top_to_bottom(path, ran):
    notebooks, _ = ran
    notebook = notebooks[path]
    assert all(cell.execution_count for cell in code_cells(notebook))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs), "a figure is shown"
    complaints = [output.text for output in outputs if output.get("name") == "stderr"]
    assert [said for said in complaints if not said.startswith(COMPILING)] == []


def test_they_leave_nothing_behind(ran):
    _, before = ran
    assert files() == before
