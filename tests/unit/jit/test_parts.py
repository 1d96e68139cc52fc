"""Functions that only compiled ones call are linked into their callers, and have no machine code."""

from __future__ import annotations

import pytest
from numba import njit

from workloadlab.jit import COMPILED, helper, router


@pytest.fixture(autouse=True)
def forgotten():
    """Leave the registry as it was."""
    before = list(COMPILED)
    yield
    COMPILED[:] = before


def address(dispatcher):
    (made,) = dispatcher.overloads.values()
    return made.library.get_pointer_to_function(made.fndesc.llvm_func_name)


@pytest.mark.parametrize("kind", [helper, router()])
def test_a_part_of_a_part_is_in_its_callers_alone(kind):
    @kind
    def deepest(number):
        return number + 1

    @kind
    def deep(number):
        return deepest(number) * 2

    @njit("int64(int64)")  # never found on disk
    def asked(number):
        return deep(number) + deepest(number)

    @njit("int64(int64)")  # never found on disk
    def again(number):
        return deep(number)

    assert (asked(4), again(4)) == (15, 10)
    assert address(deep) == address(deepest) == 0
    assert address(asked) > 0


def test_what_a_part_raises_reaches_python():
    @router()
    def checked(number):
        if number < 0:
            raise ValueError("below zero")
        return number

    @njit("int64(int64)")
    def asked(number):
        return checked(number)

    assert asked(3) == 3
    with pytest.raises(ValueError, match="below zero"):
        asked(-3)
