"""What a caller of a public function gives, checked where it comes in.

Text is read as the command line reads it: "1,2" are two numbers, "random, least_requests" two names.
What is neither is refused in a sentence that names the argument.

Start with `signature.py`: `checked` reads the arguments of a function by their annotations. `values.py`
and `paths.py` have the readers, also for what no annotation says. To add a type that `checked` reads,
add its row to `READERS`.
"""

from workloadlab.arguments.paths import file_path, legible
from workloadlab.arguments.signature import CALLER, checked
from workloadlab.arguments.values import (
    listed,
    members,
    number,
    numbers,
    of_kind,
    pairs,
    share,
    shown,
    text,
    truth,
    whole_number,
    whole_numbers,
    words,
)

__all__ = [
    "CALLER",
    "checked",
    "file_path",
    "legible",
    "listed",
    "members",
    "number",
    "numbers",
    "of_kind",
    "pairs",
    "share",
    "shown",
    "text",
    "truth",
    "whole_number",
    "whole_numbers",
    "words",
]
