"""A format of the user's own, in a TOML file.

Start with `file.py`: what a file says of the log and of its columns. `values.py` has the words for a
value, `said.py` checks what stands at one place and says what is wrong there. The words mean what those
of `ingestion/formats/words.py` mean; the reference lists both registries.
"""

from workloadlab.ingestion.mapping.file import EXAMPLE, FACTS, mapping_file
from workloadlab.ingestion.mapping.values import WORDS

__all__ = ["EXAMPLE", "FACTS", "WORDS", "mapping_file"]
