"""How functions are compiled, and how their machine code is kept.

Start with `decorators.py`, the one place where numba's options stand: `entry`, `by_address`,
`helper`, `inline` and `router`; each function that they compile is in `COMPILED`, and `parts.py` says
how those are compiled that Python never calls. Then `stamps.py`, which digests a function with all that
it reaches, so that no edit of a callee goes unnoticed. `store.py` keeps machine code in files that bear
the stamp, `folders.py` says where they may lie, and `pruning.py` removes those whose stamp is that of no
function any more. `claims.py` lets one process compile what several want. `beside.py` compiles in a
second process what this one will want next. To add a way to compile, add its decorator to
`decorators.py`.
"""

from __future__ import annotations

from workloadlab.jit.beside import compiled_beside
from workloadlab.jit.decorators import by_address, entry, helper, inline, router
from workloadlab.jit.folders import kept_in
from workloadlab.jit.registry import COMPILED, Compiled

__all__ = [
    "COMPILED",
    "Compiled",
    "by_address",
    "compiled_beside",
    "entry",
    "helper",
    "inline",
    "kept_in",
    "router",
]
