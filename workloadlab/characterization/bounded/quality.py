"""What integrity asks of the rows of one part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workloadlab.characterization.bounded.reading import NULL
from workloadlab.characterization.bounded.rules import add
from workloadlab.characterization.topics.integrity import count_duplicates
from workloadlab.trace import Flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloadlab.characterization.bounded.plan import Part
    from workloadlab.characterization.bounded.reading import Names, Rows

__all__ = ["CONDITIONS", "RULES", "QualityTally"]

CONDITIONS = (
    "zero_input", "zero_output", "without_output", "without_ttft", "without_e2e", "impossible",
    "not_ok", *(str(flag.name) for flag in Flag), "rows", "moved", "duplicates",
)  # fmt: skip
"""What is counted, in order; all but rows and moved over measured rows."""

RULES = {"quality": add}


class QualityTally:
    """Counts of conditions, as a part's rows come."""

    def __init__(self, part: Part, names: dict[str, Names]) -> None:
        self.names = names
        self.previous = part.previous_row_id
        self.counts = dict.fromkeys(CONDITIONS, 0)

    def take_all(self, rows: Rows) -> None:
        """Count rows, warm-up or not."""
        row_id = rows.numbers["row_id"]
        self.counts["rows"] += len(rows)
        self.counts["moved"] += int(np.count_nonzero(row_id[1:] < row_id[:-1]))
        if self.previous is not None and row_id[0] < self.previous:
            self.counts["moved"] += 1
        self.previous = int(row_id[-1])

    def take(self, rows: Rows) -> None:
        """Count measured rows, which come after all before."""
        null = np.broadcast_to(np.int64(NULL), len(rows))
        output, ttft, e2e = (
            rows.numbers.get(name, null) for name in ("output_tokens", "ttft_ns", "e2e_ns")
        )
        first, whole = ttft != NULL, e2e != NULL
        self._count("zero_input", rows.numbers["input_tokens"] == 0)
        self._count("zero_output", output == 0)
        self._count("without_output", output == NULL)
        self._count("without_ttft", ~first)
        self._count("without_e2e", ~whole)
        self._count(
            "impossible",
            (first & (ttft < 0)) | (whole & (e2e < 0)) | (first & whole & (ttft > e2e)),
        )
        if "outcome" in rows.codes:
            good = self.names["outcome"].known.get("ok", -2)
            self._count("not_ok", (rows.codes["outcome"] >= 0) & (rows.codes["outcome"] != good))
        flags = rows.numbers.get("flags", null * 0)
        if flags.any():
            for flag in Flag:
                self._count(str(flag.name), (flags & flag.value) != 0)
        self.counts["duplicates"] += count_duplicates(
            rows.numbers["arrival_ns"], rows.numbers["input_tokens"], output
        )

    def _count(self, condition: str, where: NDArray[np.bool_]) -> None:
        self.counts[condition] += int(np.count_nonzero(where))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the counts by quantity."""
        return {"quality": np.array([self.counts[name] for name in CONDITIONS])}
