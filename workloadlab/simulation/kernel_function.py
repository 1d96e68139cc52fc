"""Compiled functions by address.

numba looks a function that is an argument up again at each call, which takes 0.2 ms: nothing for a
replay of a whole trace, and more than hundreds of lanes take from one decision to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

__all__ = ["addresses_of", "function_from"]


def addresses_of(*functions: tuple[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the addresses of compiled functions, given with their signatures, two for each.

    They hold as long as the functions live.
    """
    addresses = []
    for function, signature in functions:
        compiled = function.get_compile_result(signature)
        names = compiled.fndesc.llvm_cfunc_wrapper_name, compiled.fndesc.llvm_func_name
        addresses += [compiled.library.get_pointer_to_function(name) for name in names]
    return np.array(addresses, np.uint64)


def function_from(signature: Any) -> Any:
    """Return a compiled function (address for C, address) -> function of that signature."""
    kind = types.FunctionType(signature)

    def codegen(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        made = cgutils.create_struct_proxy(kind)(context, builder)
        pointer = context.get_value_type(types.voidptr)
        made.c_addr, made.jit_addr = (builder.inttoptr(value, pointer) for value in arguments)
        made.py_addr = pointer(None)
        return made._getvalue()

    def build(typing_context: Any, for_c: Any, address: Any) -> Any:  # noqa: ARG001
        return kind(types.uint64, types.uint64), codegen

    return intrinsic(build)
