"""An engine that is not there, does not answer, or works with another version is a sentence."""

from __future__ import annotations

import socket
import time
from importlib.util import find_spec

import pytest

from workloadlab.errors import DataError, MachineError, UsageError
from workloadlab.execution import engine_named, engines, knocking
from workloadlab.execution.units import Order, Refusal, obey, order, unpacked
from workloadlab.installation import code_in_words


@pytest.fixture
def silent():
    """Return the address of somebody who takes a call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody():
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_nobody_at_an_address_is_told_at_once(name, nobody, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    with pytest.raises(MachineError, match=f"no {name.capitalize()} cluster answers at {nobody}"):
        engine_named(name, nobody).__enter__()


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_somebody_who_does_not_answer_is_told_within_ten_seconds(name, silent, monkeypatch):
    if find_spec(engines.ENGINES[name]) is None:
        pytest.skip(f"{name} is not installed")
    assert knocking.PATIENCE_S < 8
    monkeypatch.setattr(knocking, "PATIENCE_S", 0.5)
    began = time.monotonic()
    with pytest.raises(MachineError, match=f"no {name.capitalize()} .* answers at"):
        engine_named(name, silent).__enter__()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_an_engine_that_is_not_installed_is_told(name, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="is not installed\n  fix: pip install 'workloadlab"):
        engine_named(name, "127.0.0.1:1").__enter__()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("spark", None), "no engine is called 'spark'"),
        (("local", "tcp://a:1"), "without an engine"),
        (("dask", None), "needs the address"),
        (("dask", "head"), "has no host and port"),
        (("ray", "head:99999"), "has no host and port"),
    ],
    ids=["name", "alone", "none", "port", "high"],
)
def test_what_makes_no_sense_is_refused(words, said, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    with pytest.raises(UsageError, match=said):
        engine_named(*words).__enter__()


def test_a_worker_of_another_version_refuses_with_both():
    refused = obey(Order("workloadlab 0.0.9 (code 0badc0de)", b"not even a pickle"), 1)
    with pytest.raises(MachineError) as told:
        unpacked(refused)
    assert "workloadlab 0.0.9 (code 0badc0de)" in str(told.value)
    assert code_in_words() in str(told.value)


def fails(unit, threads):
    raise DataError(unit, where="here", fix="mend it")


def test_an_error_of_the_user_comes_back_as_a_value():
    pytest.importorskip("cloudpickle")
    refused = obey(order(fails, "is damaged"), 1)
    assert isinstance(refused, Refusal)
    with pytest.raises(DataError, match=r"here: is damaged \(on worker .*\)\n  fix: mend it"):
        unpacked(refused)


def test_a_bug_is_no_value():
    pytest.importorskip("cloudpickle")
    with pytest.raises(ZeroDivisionError):
        obey(order(lambda unit, threads: unit / 0, 1), 1)
