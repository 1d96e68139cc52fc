"""A cluster without workers is waited for, and the person is told."""

from __future__ import annotations

import logging
import warnings

import pytest

from workloadlab.execution import dask_engine, ray_engine


@pytest.fixture(autouse=True)
def heard(caplog, monkeypatch):
    """Let warnings be heard, whatever other tests have made of the log."""
    log = logging.getLogger("workloadlab")
    monkeypatch.setattr(log, "disabled", False)
    monkeypatch.setattr(log, "propagate", True)
    caplog.set_level(logging.WARNING, logger="workloadlab")


def test_a_dask_cluster_without_workers_is_told_of(monkeypatch, caplog):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(dask_engine, "WORKERS_S", 0.2)
    options = {"n_workers": 0, "processes": False, "dashboard_address": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(**options) as cluster,
            dask_engine.connected(cluster.scheduler_address, 1) as engine,
        ):
            assert engine.workers == 1
    assert f"the Dask cluster at {cluster.scheduler_address} has no workers yet" in caplog.text


@pytest.mark.parametrize(("cpus", "told"), [([0], True), ([0, 2], False)])
def test_a_ray_cluster_without_workers_is_told_of(monkeypatch, caplog, cpus, told):
    ray = pytest.importorskip("ray")
    nodes = [{"Alive": True, "Resources": {"CPU": each} if each else {}} for each in cpus]
    monkeypatch.setattr(ray, "init", lambda *_, **__: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray_engine, "WORKERS_S", 0.2)
    monkeypatch.setattr(ray_engine, "LOOK_S", 0.05)
    with ray_engine.connected("head:6379", None) as engine:
        assert engine.workers == 1
    assert ("the Ray cluster at head:6379 has no workers yet" in caplog.text) == told
