"""A router may call plain functions and routers, whichever file they are written in."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import workloadlab as wl
from workloadlab.errors import UsageError
from workloadlab.routing.signals import INSTANCE, REQUEST

CHOICES = """
def middle(low, high):
    return (low + high) // 2

def half(count):
    return middle(0, count)

def beyond(memory):
    return memory[len(memory)]
"""
OUTSIDE = """
import workloadlab as wl
from choices import beyond, half
from math import floor

@wl.router(kind="choose")
def by_name(request, instances, params, memory):
    return floor(half(len(instances)) + 0.5)

@wl.router(kind="choose")
def within_a_comprehension(request, instances, params, memory):
    return [half(count) for count in (len(instances),)][0]

@wl.router(kind="choose")
def too_far(request, instances, params, memory):
    return int(beyond(memory))

def closing(help):
    @wl.router(kind="choose")
    def by_variable(request, instances, params, memory):
        return help(len(instances))
    return by_variable

by_variable = closing(half)
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Return routers of a user's file that calls functions of another."""
    (tmp_path / "choices.py").write_text(CHOICES)
    (tmp_path / "outside.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "choices", raising=False)
    return lambda name: wl.router.from_file(tmp_path / "outside.py", name)


def request_and_instances(count):
    return np.zeros(1, REQUEST)[0], np.zeros(count, INSTANCE), np.zeros(1), np.zeros(64)


@pytest.mark.parametrize("name", ["by_name", "within_a_comprehension", "by_variable"])
def test_a_function_of_another_file_is_compiled_with_its_router(outside, name):
    policy = outside(name)
    scene = request_and_instances(7)
    assert policy.compiled(*scene) == policy.interpreted(*scene) == 3


def test_an_index_out_of_bounds_is_seen_in_what_a_users_router_calls(outside):
    scene = request_and_instances(2)
    with pytest.raises(IndexError):
        outside("too_far").compiled(*scene)


def test_functions_that_call_each_other_are_refused_and_not_followed_for_ever():
    with pytest.raises(UsageError, match="router 'forth' cannot be compiled"):
        _ = forth.compiled


@wl.router
def forth(request, instance):
    return back(request, instance) if instance.index > 0 else 0.0


def back(request, instance):
    return forth(request, instance)
