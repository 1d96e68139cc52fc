"""How functions are compiled, and how their machine code is kept.

- `decorators` is the one place where numba's options stand: `entry`, `by_address`, `helper`, `inline`
  and `router`. Each function that they compile is in `COMPILED`.
- `stamps` digests a function with all that it reaches: no edit of a callee goes unnoticed.
- `store` keeps machine code in files that bear the stamp, and says where.
- `pruning` removes the files whose stamp is that of no function any more.
"""

from __future__ import annotations

from workloadlab.jit.decorators import by_address, entry, helper, inline, router
from workloadlab.jit.registry import COMPILED, Compiled

__all__ = ["COMPILED", "Compiled", "by_address", "entry", "helper", "inline", "router"]
