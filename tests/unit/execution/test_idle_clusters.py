"""A cluster without workers is waited for, and the person is told; one that went away is an error."""

from __future__ import annotations

import logging
import warnings
from types import SimpleNamespace

import pytest

from workloadlab.errors import MachineError
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
    assert f"the Dask cluster at {cluster.scheduler_address} has no workers" in caplog.text


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
    assert ("the Ray cluster at head:6379 has no workers" in caplog.text) == told


@pytest.fixture
def silent_ray(monkeypatch):
    """Return the methods of Ray that a test may replace; no unit ends by itself."""
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(
        ray, "remote", lambda **_: lambda _work: SimpleNamespace(remote=lambda *_: object())
    )
    monkeypatch.setattr(ray, "wait", lambda running, **_: ([], running))
    monkeypatch.setattr(ray, "cancel", pytest.fail)
    monkeypatch.setattr(ray, "nodes", list)
    monkeypatch.setattr(ray_engine, "order", lambda *_: None)
    return ray


def test_a_ray_cluster_that_went_away_is_an_error(silent_ray, monkeypatch):
    def knock(*_):
        raise MachineError("nobody answers", fix="look")

    monkeypatch.setattr(ray_engine, "knock", knock)
    monkeypatch.setattr(ray_engine, "LOST_S", 0.05)
    with pytest.raises(MachineError, match="lost the Ray cluster at head:6379\n  fix: start it"):
        list(ray_engine.RayEngine("head:6379", 1, 1).run(print, [1, 2]))


def test_a_ray_cluster_whose_nodes_are_gone_is_told_of_once(silent_ray, monkeypatch, caplog):
    looks = []

    def wait(running, **_):
        looks.append(running)
        return (running[:1], running[1:]) if len(looks) > 3 else ([], running)

    monkeypatch.setattr(ray_engine, "knock", lambda *_: None)
    monkeypatch.setattr(silent_ray, "wait", wait)
    monkeypatch.setattr(silent_ray, "get", lambda _: 7)
    assert list(ray_engine.RayEngine("head:6379", 1, 1).run(print, [1])) == [(0, 7)]
    assert caplog.text.count("the Ray cluster at head:6379 has no workers") == 1
