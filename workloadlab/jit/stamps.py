"""The stamp of a compiled function: a digest of all that its machine code is made from.

That is its bytecode, constants and options, and those of every function that it reaches through globals,
closures, defaults and attributes of our modules, whichever file they are written in. Of a library it is
the name and the version. Comments, docstrings and the lines where things stand do not count. The digest
is the same in every process; a value of a kind that it does not know is an error, not an omission.
"""

from __future__ import annotations

import builtins
import dis
import enum
import hashlib
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import llvmlite
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic
from numba.core.types import Type
from numba.core.typing import Signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["is_foreign", "stamp"]

Reached = list[FunctionType]
"""The functions that one function reaches without another between them, in the order of its code."""

_COMPILER = (numba.__version__, llvmlite.__version__)
_LIBRARIES = frozenset({"numpy", "numba", "llvmlite", "scipy"})

_ATTRIBUTES = {dis.opmap[name] for name in ("LOAD_ATTR", "LOAD_METHOD") if name in dis.opmap}
_FLAGGED = sys.version_info >= (3, 12)
"""An attribute's number has a flag in its lowest bit."""

_facts: dict[FunctionType, tuple[str, Reached]] = {}
"""What is known of a function by itself: its digest and what it reaches."""


def stamp(
    dispatcher: Any, *more: str, known: dict[FunctionType, tuple[str, Reached]] | None = None
) -> str:
    """Return 16 hexadecimal digits that change with whatever changes a dispatcher's machine code.

    Args:
        dispatcher: a function that numba compiles.
        more: what else makes its code, such as the signature.
        known: what is remembered of functions, by default since the process began.

    Raises:
        TypeError: a function reaches a value of an unknown kind, or a name that is not defined yet.

    Example:
        >>> from numba import njit
        >>> def double(number):
        ...     return 2 * number
        >>> len(stamp(njit(double)))
        16
        >>> stamp(njit(double)) == stamp(njit(double)) != stamp(njit(fastmath=True)(double))
        True
    """
    known = _facts if known is None else known
    reached: Reached = []
    lines: list[Any] = [(_COMPILER, more, _described(dispatcher, reached))]
    numbers = {function: place for place, function in enumerate(reached)}
    for function in reached:  # grows on the way
        if function not in known:
            known[function] = _alone(function)
        digest, callees = known[function]
        for callee in callees:
            if callee not in numbers:
                numbers[callee] = len(reached)
                reached.append(callee)
        lines.append((digest, [numbers[callee] for callee in callees]))
    return _digest(lines)[:16]


def is_foreign(value: Any) -> bool:
    """Say whether a module, or what is defined in one, is a library's: of ours or a user's it is not."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if name is None:  # a function that was made from text, or a method of a builtin
        return not isinstance(value, FunctionType)
    return _is_library(name.partition(".")[0])


@cache
def _is_library(root: str) -> bool:
    if root in _LIBRARIES or root in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return root != __name__.partition(".")[0] and bool(installed)


def _alone(function: FunctionType) -> tuple[str, Reached]:
    """Return the digest of a function without those that it reaches, and these."""
    reached: Reached = []
    try:
        found = [_described(value, reached) for value in _values(function)]
    except TypeError as error:
        raise TypeError(f"{function.__module__}.{function.__qualname__}: {error}") from error
    return _digest((_code(function.__code__), found)), reached


def _values(function: FunctionType) -> Iterator[Any]:
    """Yield what a function reads besides its arguments, in the order of its code."""
    yield from (_resolved(function, path) for path in _paths(function.__code__))
    try:
        yield from [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:
        raise TypeError("closes over a variable that has no value yet") from None
    yield function.__defaults__
    yield function.__kwdefaults__


def _paths(code: CodeType) -> Iterator[list[str]]:
    """Yield each global name that a function loads, with the attributes that it takes of it at once."""
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    for start in _places(operations, "LOAD_GLOBAL"):
        path = [code.co_names[_argument(operations, arguments, start) >> 1]]
        place = _following(operations, start)
        while operations[place] in _ATTRIBUTES:
            path.append(code.co_names[_argument(operations, arguments, place) >> _FLAGGED])
            place = _following(operations, place)
        yield path
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _paths(constant)


def _places(operations: bytes, name: str) -> Iterator[int]:
    """Yield where an operation stands; what an interpreter notes between operations is zero."""
    place = operations.find(dis.opmap[name])
    while place >= 0:
        yield place
        place = operations.find(dis.opmap[name], place + 1)


def _following(operations: bytes, place: int) -> int:
    """Return the place of the next operation."""
    place += 1
    while operations[place] in (0, dis.EXTENDED_ARG):
        place += 1
    return place


def _argument(operations: bytes, arguments: bytes, place: int) -> int:
    """Return the argument of an operation, with the higher bytes that stand before it."""
    value, byte = arguments[place], 1
    while place >= byte and operations[place - byte] == dis.EXTENDED_ARG:
        value |= arguments[place - byte] << (8 * byte)
        byte += 1
    return value


def _resolved(function: FunctionType, path: list[str]) -> Any:
    """Return the value of a global name; of a module of ours, that of the attribute."""
    name, *attributes = path
    missing = object()
    value = function.__globals__.get(name, getattr(builtins, name, missing))
    if value is missing:
        raise TypeError(f"reads {name}, which is not defined yet: define it further up")
    for attribute in attributes:
        if not isinstance(value, ModuleType) or is_foreign(value):
            break
        value = getattr(value, attribute)
    return value


def _code(code: CodeType) -> tuple[Any, ...]:
    """Describe bytecode and constants, but not where they stand in a file."""
    first = code.co_consts[:1]
    documented = first and isinstance(first[0], str) and not _loads_first_constant(code)
    return (
        code.co_code, [_described(value, []) for value in code.co_consts[bool(documented) :]],
        code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags,
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable,
    )  # fmt: skip


def _loads_first_constant(code: CodeType) -> bool:
    """Say whether the first constant is read, and not only the docstring."""
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    places = [place for op in dis.hasconst for place in _places(operations, dis.opname[op])]
    return any(_argument(operations, arguments, place) == 0 for place in places)


def _described(value: Any, reached: Reached) -> Any:
    """Describe a value by plain ones whose text is the same in every process.

    A function is described by its place among those that are `reached`, where it is put.
    """
    kind = type(value)
    if kind not in _describers:
        _describers[kind] = next((how for kinds, how in _KINDS if isinstance(value, kinds)), None)
    describe = _describers[kind]
    if describe is not None:
        return (kind.__name__, describe(value, reached))
    name = getattr(value, "__name__", value)
    raise TypeError(
        f"reads {name!r}, a {kind.__qualname__}, of which nobody says how it makes machine code: "
        "describe the kind in workloadlab/jit/stamps.py"
    )


def _function(function: FunctionType, reached: Reached) -> Any:
    if is_foreign(function):
        return _named(function, reached)
    reached.append(function)
    return ()


def _dispatcher(dispatcher: Any, reached: Reached) -> Any:
    options = sorted((name, repr(value)) for name, value in dispatcher.targetoptions.items())
    fixed = [] if dispatcher._can_compile else [str(s) for s in dispatcher.nopython_signatures]
    return (options, fixed, _described(dispatcher.py_func, reached))


def _intrinsic(made: Any, reached: Reached) -> Any:
    options = sorted((name, repr(value)) for name, value in made._ctor_kwargs.items())
    return (options, made._prefer_literal, _described(made._defn, reached))


def _named(value: Any, reached: Reached) -> Any:  # noqa: ARG001
    """Describe what belongs to a library by name and version."""
    if not is_foreign(value):
        raise TypeError(f"reads {value!r}, which is neither a function nor a library's")
    is_module = isinstance(value, ModuleType)
    module = value.__name__ if is_module else getattr(value, "__module__", None) or "builtins"
    return (module, "" if is_module else value.__qualname__, _version(module.partition(".")[0]))


def _version(root: str) -> str:
    if root in sys.stdlib_module_names:
        return str(sys.implementation.cache_tag)
    return getattr(sys.modules.get(root), "__version__", None) or version(root)


def _dtype(dtype: Any, reached: Reached) -> Any:
    if dtype.subdtype is not None:
        return (_dtype(dtype.subdtype[0], reached), dtype.shape)
    fields = [
        (name, dtype.fields[name][1], _dtype(dtype.fields[name][0], reached))
        for name in dtype.names or ()
    ]
    return (dtype.str, dtype.itemsize, dtype.alignment, fields)


def _array(array: Any, reached: Reached) -> Any:
    if array.dtype.hasobject:
        raise TypeError("reads an array of Python objects")
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return (_dtype(array.dtype, reached), array.shape, array.strides, content)


def _numba_type(kind: Any, reached: Reached) -> str:  # noqa: ARG001
    text = str(kind)
    if " at 0x" in text:
        raise TypeError(f"reads the type {text}, whose name is another in every process")
    return text


def _items(values: Any, reached: Reached) -> list[Any]:
    return [_described(value, reached) for value in values]


def _set(values: Any, reached: Reached) -> list[str]:
    return sorted(repr(described) for described in _items(values, reached))


def _pairs(values: Any, reached: Reached) -> list[Any]:
    return _items(values.items(), reached)


def _itself(value: Any, reached: Reached) -> Any:  # noqa: ARG001
    return value


_KINDS: tuple[tuple[Any, Callable[[Any, Reached], Any]], ...] = (
    (FunctionType, _function),
    (Dispatcher, _dispatcher),
    (_Intrinsic, _intrinsic),
    (CodeType, lambda code, _: _code(code)),
    (np.generic, lambda scalar, reached: _array(np.asarray(scalar), reached)),
    (np.ndarray, _array),
    (np.dtype, _dtype),
    (np.ufunc, lambda ufunc, _: (ufunc.__name__, np.__version__)),
    (type(np.clip), _named),
    (Type, _numba_type),
    (Signature, _numba_type),
    (enum.Enum, lambda member, reached: (str(member), _described(member.value, reached))),
    ((bool, int, float, complex, str, bytes, type(None), type(...)), _itself),
    ((tuple, list), _items),
    ((set, frozenset), _set),
    (dict, _pairs),
    (slice, lambda cut, reached: _items((cut.start, cut.stop, cut.step), reached)),
    ((ModuleType, BuiltinFunctionType, type), _named),
)
"""How a value of each kind is described; the first that fits counts."""

_describers: dict[type, Callable[[Any, Reached], Any] | None] = {}
"""The same by type, as far as it was asked for."""


def _digest(text: Any) -> str:
    return hashlib.sha256(repr(text).encode()).hexdigest()
