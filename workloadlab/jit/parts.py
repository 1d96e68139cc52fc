"""How functions are compiled that only compiled ones call: as code to link, not as machine code.

Numba optimizes each function with all that it calls and makes machine code of it, at every level of
calls. Machine code of a function that Python never calls is of no use, and its callers optimize it again
with their own code. Without both, the engine compiles in three quarters of the time.
"""

from __future__ import annotations

from typing import Any

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

__all__ = ["PartCompiler"]

_NOWHERE = 0
"""The address by which Python would call a part: there is none, so a call ends the process."""


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """Code of a part and of all that it calls, as it is linked into its callers."""

    def _optimize_final_module(self) -> None:
        """Inline what is called, no more: without it the callers end up 1 to 2 % slower."""
        passes, building = self._codegen._module_pass_manager(
            loop_vectorize=self._codegen._loopvect, slp_vectorize=False,
            opt=self._codegen._opt_level, cost="cheap",
        )  # fmt: skip
        passes.run(self._final_module, building)

    def _finalize_final_module(self) -> None:
        """End as numba does, but make no machine code."""
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):  # type: ignore[misc]
    """Numba's lowering, to a library that has no address."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower a function, and say to its callers where its code is."""
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        about = lowered.fndesc
        called = _dynfunc.make_function(
            about.lookup_module(), about.qualname, "", _NOWHERE, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(called, about, [state.library])
        state["cr"] = lowered._replace(cfunc=called)
        return True


class PartCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's compiler with `_PartLowering` in the place of its lowering."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline that numba has for functions without Python objects."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (_PartLowering if each is NativeLowering else each, said)
            for each, said in passes.passes
        ]
        passes._finalized = False
        passes.finalize()
        return [passes]
