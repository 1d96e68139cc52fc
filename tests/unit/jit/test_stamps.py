"""A stamp changes with everything that machine code is made from, and with nothing else."""

from __future__ import annotations

import dis
import enum
import os
import subprocess
import sys
import types as python_types
from itertools import cycle

import numpy as np
import pytest
from numba import from_dtype, njit, types
from numba.core.extending import intrinsic
from support.compiled import PACKAGE, everything, reached_by_name, stamps

from workloadlab.jit.stamps import stamp


def another_constant(code):
    return code.replace(co_consts=(*code.co_consts, "edited"))


def another_instruction(code):
    return code.replace(co_code=code.co_code + bytes([dis.opmap["NOP"], 0]))


def test_an_edit_of_each_function_is_seen_by_those_that_reach_it_and_by_no_other():
    found = everything()
    known = {}
    before, reached = stamps(found, known), reached_by_name(found)
    assert len(before) > 30
    wrong = {}
    for one, edited in zip(found, cycle([another_constant, another_instruction])):
        function = one.dispatcher.py_func
        code = function.__code__
        function.__code__ = edited(code)
        try:
            after = stamps(found, {f: facts for f, facts in known.items() if f is not function})
        finally:
            function.__code__ = code
        changed = {name for name in before if after[name] != before[name]}
        callers = {name for name in before if one.name in reached[name]}
        if changed != callers:
            wrong[one.name] = changed ^ callers
    assert wrong == {}
    assert stamps(found) == before


def test_an_edit_of_what_makes_an_accessor_is_seen_by_the_engine_only(monkeypatch):
    from workloadlab.simulation.engine import arrays

    found = everything()
    before = stamps(found)
    code = arrays.member.__code__
    monkeypatch.setattr(arrays.member, "__code__", another_constant(code))
    changed = {name for name, value in stamps(found).items() if before[name] != value}
    assert "workloadlab.simulation.engine.lane.run_lane" in changed
    assert all(".engine." in name or ".oracles." in name for name in changed)


def test_stamps_are_the_same_in_every_process():
    code = (
        "from support.compiled import everything, stamps;"
        "print(sorted(stamps(everything()).items()))"
    )

    def printed(seed):
        return subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True,
            cwd=PACKAGE.parent / "tests", env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout  # fmt: skip

    first = printed("1")
    assert first == printed("2")
    assert "run_lane" in first


def reading(value):
    """Return a function that reads a value of its file, as if it had been written there."""

    def read():
        return VALUE  # noqa: F821

    made = python_types.FunctionType(read.__code__, {"VALUE": value}, "read")
    return njit(made)


class Colour(enum.IntEnum):
    RED = 1
    BLUE = 2


def made_by_a_factory(size, scale=1):
    def accessor(context, holder):
        def codegen(context, builder, signature, arguments):
            return builder.load(arguments[0], size, scale)

        return types.int64(holder), codegen

    return intrinsic(accessor)


def closing_over(value):
    def read():
        return value

    return njit(read)


def one_by_default(number, step=1):
    return number + step


def two_by_default(number, step=2):
    return number + step


def added(value):
    return lambda number: number + value


KINDS = {
    "int": (lambda: 1, lambda: 2),
    "int and float": (lambda: 1, lambda: 1.0),
    "int and bool": (lambda: 1, lambda: True),
    "zeros": (lambda: 0.0, lambda: -0.0),
    "nan": (lambda: float("nan"), lambda: 1.0),
    "str": (lambda: "a", lambda: "b"),
    "bytes": (lambda: b"a", lambda: "a"),
    "none": (lambda: None, lambda: 0),
    "tuple": (lambda: (1, (2, 3)), lambda: (1, (2, 4))),
    "frozenset": (lambda: frozenset("abc"), lambda: frozenset("abd")),
    "enum": (lambda: Colour.RED, lambda: Colour.BLUE),
    "scalar": (lambda: np.int64(1), lambda: np.uint64(1)),
    "array": (lambda: np.arange(3), lambda: np.arange(3)[::-1]),
    "array of other shape": (lambda: np.zeros(4), lambda: np.zeros((2, 2))),
    "dtype": (lambda: np.dtype("f8"), lambda: np.dtype("f4")),
    "name of a field": (lambda: np.dtype([("a", "f8")]), lambda: np.dtype([("b", "f8")])),
    "place of a field": (
        lambda: np.dtype([("a", "i1"), ("b", "f8")]),
        lambda: np.dtype([("a", "i1"), ("b", "f8")], align=True),
    ),
    "numba type": (lambda: types.int64, lambda: types.float64),
    "numba array": (lambda: types.float64[::1], lambda: types.float64[:]),
    "numba record": (
        lambda: from_dtype(np.dtype([("a", "f8"), ("b", "f8")])),
        lambda: from_dtype(np.dtype([("b", "f8"), ("a", "f8")])),
    ),
    "signature": (lambda: types.int64(types.int64), lambda: types.int64(types.float64)),
    "function": (lambda: added(1), lambda: added(2)),
    "default": (lambda: one_by_default, lambda: two_by_default),
    "dispatcher": (lambda: njit(added(1)), lambda: njit(added(2))),
    "option": (lambda: njit(added(1)), lambda: njit(fastmath=True)(added(1))),
    "intrinsic": (lambda: made_by_a_factory(1), lambda: made_by_a_factory(2)),
    "default of a factory": (lambda: made_by_a_factory(1), lambda: made_by_a_factory(1, 2)),
    "builtin": (lambda: len, lambda: abs),
    "ufunc": (lambda: np.add, lambda: np.subtract),
    "function of numpy": (lambda: np.clip, lambda: np.sort),
    "class of numpy": (lambda: np.int64, lambda: np.float64),
    "module": (lambda: np, lambda: sys),
}


@pytest.mark.parametrize("held", [reading, closing_over])
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_any_kind_counts_and_its_place_in_memory_does_not(kind, held):
    before, after = KINDS[kind]
    assert stamp(held(before())) == stamp(held(before())) != stamp(held(after()))


class Box:
    def content(self):
        return 1


@pytest.mark.parametrize(
    "value", [object(), Box(), Box().content, Box, iter(()), np.array([None])],
    ids=["object", "instance", "method", "class", "iterator", "objects"],
)  # fmt: skip
def test_a_value_of_an_unknown_kind_is_an_error_and_no_omission(value):
    with pytest.raises(TypeError, match=r"read: reads"):
        stamp(reading(value))


def test_a_name_that_is_defined_further_down_is_an_error():
    with pytest.raises(TypeError, match="reads VALUE, which is not defined yet"):
        stamp(njit(python_types.FunctionType(reading(1).py_func.__code__, {}, "read")))


def test_functions_that_call_each_other_have_a_stamp():
    scope = {}
    exec(
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n > 0 and even(n - 1)", scope
    )
    first = stamp(njit(scope["even"]))
    scope["odd"].__code__ = another_constant(scope["odd"].__code__)
    assert stamp(njit(scope["even"]), known={}) != first


def of_text(text, name="f"):
    scope = {"np": np}
    exec(text, scope)
    return stamp(njit(scope[name]))


def test_comments_docstrings_and_lines_do_not_count():
    plain = of_text("def f(x):\n    'a'\n    return x + 1\n")
    assert plain == of_text("\n\ndef f(x):  # why\n    'b'\n\n    return x + 1\n")
    assert plain != of_text("def f(x):\n    'a'\n    return x + 2\n")


def test_a_docstring_counts_where_it_is_read():
    text = "def f(x):\n    {0!r}\n    return len({0!r}) + x\n"
    assert of_text(text.format("a")) != of_text(text.format("bc"))


def test_the_attribute_of_a_module_of_ours_is_followed(monkeypatch):
    from workloadlab.latency.estimators import linear_kernel, table_kernel

    before = stamp(table_kernel.step_time, known={})
    assert stamp(table_kernel.step_time, known={}) == before
    code = linear_kernel.curve_time.py_func.__code__
    monkeypatch.setattr(linear_kernel.curve_time.py_func, "__code__", another_constant(code))
    assert stamp(table_kernel.step_time, known={}) != before


def test_names_beyond_the_256th_are_found():
    many = "".join(f"    x += a{i}\n" for i in range(300))
    scope = {f"a{i}": i for i in range(300)}
    exec(f"def f(x):\n{many}    return x\n", scope)
    before = stamp(njit(scope["f"]), known={})
    scope["a290"] = -1
    assert stamp(njit(scope["f"]), known={}) != before


def test_functions_within_functions_are_followed():
    scope = {"VALUE": 1}
    exec("def f(n):\n    return [VALUE + i for i in range(n)]\n", scope)
    before = stamp(njit(scope["f"]), known={})
    scope["VALUE"] = 2
    assert stamp(njit(scope["f"]), known={}) != before


def test_the_version_of_a_library_counts_where_it_is_used(monkeypatch):
    user, other = "def f(x):\n    return np.floor(x)\n", "def f(x):\n    return x\n"
    with_numpy, without = of_text(user), of_text(other)
    monkeypatch.setattr(np, "__version__", "0.0")
    assert of_text(user) != with_numpy
    assert of_text(other) == without
