"""Names for what kernels take and give.

numba knows the types from the signature of the outermost kernel, and mypy must not guess them. To a
reader they say of which kind a value is.
"""

from __future__ import annotations

from typing import Any

Lane = Any  # a record of `LANE`
Lanes = Any  # an array of such

Instance = Any  # an element of `engines`
Request = Any  # an element of `slots`
View = Any  # an element of `views`
Record = Any  # any other record

Index = Any  # number of an instance
Slot = Any  # number of an element of `slots`
Row = Any  # number of a request in the workload
Block = Any  # id of a block
Cell = Any  # number of an element of `cache`

Position = Any  # place in an array
Count = Any  # number of tokens, blocks, steps and the like
Flag = Any  # 1 or 0
Status = Any  # how a lane stopped, see `lane`

Seconds = Any
Number = Any

Array = Any
Function = Any
