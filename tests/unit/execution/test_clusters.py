"""Sweeps on real Dask and Ray clusters of two workers: a driver and a worker are killed on the way."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from support.engines import dask_cluster, drive, ray_cluster
from support.learning import searched
from support.sweeps import files_of, many_parts, small_grid

from workloadlab.characterization.characterize import measure_all
from workloadlab.sweeping import run_sweep

CLUSTERS = {"dask": (dask_cluster, "distributed"), "ray": (ray_cluster, "ray")}


@pytest.mark.parametrize("engine", CLUSTERS)
def test_a_driver_and_a_worker_die_and_the_bytes_are_those_of_one_machine(engine, tmp_path):
    cluster, library = CLUSTERS[engine]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    with cluster() as (address, worker):
        first = drive(engine, address, tmp_path, "dies")
        assert first.returncode == -9, first.stderr
        left = len(list((tmp_path / "out").glob("*.json")))
        assert 0 < left < 12
        second = drive(engine, address, tmp_path, f"kills {worker}")
        assert second.returncode == 0, second.stderr
        assert int(second.stdout.split()[-1]) == 12 - left
    plan = many_parts(tmp_path)
    assert len(plan.parts) > 4
    assert (tmp_path / "partial").read_bytes() == measure_all(plan).to_bytes()
    searched(tmp_path / "here")
    assert len(files_of(tmp_path / "here")) == 2
    assert files_of(tmp_path / "learned") == files_of(tmp_path / "here")
    run_sweep(small_grid(tmp_path), out=tmp_path / "local", keep="outcomes")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "local")
