"""Estimators as values: the registry lists them all, reads them late, and their facts are true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from workloadlab.cli.fit import command
from workloadlab.errors import UnsupportedError
from workloadlab.latency import ESTIMATORS, LatencyModel
from workloadlab.latency.estimators import registry
from workloadlab.latency.estimators.registry import fit_estimator

STEPS = np.array([[0.0, 0, n, 700 * n] for n in (1, 3, 9, 40)] + [[512.0, 0, 0, 0]] * 2)
SECONDS = 0.01 + 1e-5 * STEPS[:, 0] + 1e-4 * STEPS[:, 2]


def model_of(name: str) -> LatencyModel:
    coefficients = fit_estimator(name, STEPS, SECONDS)
    return LatencyModel(name="m", estimator=name, coefficients=coefficients)


def test_every_file_that_has_an_estimator_is_listed() -> None:
    folder = Path(registry.__file__).parent
    having = {
        path.stem for path in folder.glob("*.py") if "\nESTIMATOR = Estimator(" in path.read_text()
    }
    assert having == set(ESTIMATORS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_value_is_called_as_its_file(name) -> None:
    assert ESTIMATORS[name].name == name
    assert ESTIMATORS[name].about


def test_the_names_are_known_without_compiled_code() -> None:
    code = (
        "import sys\n"
        "from workloadlab.latency import ESTIMATORS\n"
        "assert 'linear' in ESTIMATORS and 'oracle' not in ESTIMATORS and len(ESTIMATORS) > 1\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numba", "scipy", "sklearn"} & set(done.stdout.split())


def test_an_unlisted_name_is_no_key() -> None:
    with pytest.raises(KeyError):
        ESTIMATORS["evaluate"]


def test_help_names_every_estimator() -> None:
    said = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert f"modelled: {', '.join(ESTIMATORS)}; auto" in said


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_is_scaled_or_refuses(name) -> None:
    """Steps take twice as long and half a second more, and so says a sum of tables."""
    model = model_of(name)
    step = {"prefill_tokens": 100.0, "decode_seqs": 5.0, "decode_context_tokens": 900.0}
    if ESTIMATORS[name].scaled is None:
        with pytest.raises(
            UnsupportedError, match=f"m is a {name} model, and only linear or table"
        ):
            model.scaled(2.0, 0.5)
        return
    wanted = pytest.approx(2.0 * model.step_time_s(**step) + 0.5, rel=1e-12)
    assert model.scaled(2.0, 0.5).step_time_s(**step) == wanted
    none, once, more = (
        model.scaled(*by).kernel()[1] for by in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    table = none + 2.0 * (once - none) + 0.5 * (more - none)
    summed = LatencyModel.of_table(table, estimator=name)
    assert summed.step_time_s(**step) == wanted


def test_only_rates_have_efficiencies() -> None:
    assert [name for name, value in ESTIMATORS.items() if value.efficiencies] == ["roofline"]
