"""What the decorators leave behind in the process."""

from __future__ import annotations

import gc

import pytest
from numba.core.errors import TypingError

from workloadlab.jit import claims, entry


@pytest.fixture(params=[True, False], ids=["collecting", "not collecting"])
def collecting(request):
    (gc.enable if request.param else gc.disable)()
    yield request.param
    gc.enable()


def test_the_collector_is_as_before_whether_a_function_compiles_or_not(collecting):
    seen = []

    @entry("int64(int64)")
    def double(number):
        return 2 * number

    seen.append(gc.isenabled())
    with pytest.raises(TypingError):

        @entry("int64(int64)")
        def wrong(number):
            return number.nothing

    seen.append(gc.isenabled())
    assert double(21) == 42
    assert seen == [collecting, collecting]


@pytest.mark.parametrize("signature", ["int64(int64)", None], ids=["at once", "at the call"])
def test_a_compilation_that_fails_holds_up_nobody(signature, monkeypatch):
    def waits(_):
        pytest.fail("it waits for what itself has claimed")

    monkeypatch.setattr(claims.time, "sleep", waits)

    def wrong(number):
        return number.nothing

    for _ in range(2):
        with pytest.raises(TypingError):
            entry(signature)(wrong)(1)
