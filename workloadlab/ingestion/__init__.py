"""Request logs to a trace: recognise the format, stream the rows, set aside what is bad.

Start with `ingest.py`, which is the whole way in one function; then `heads.py`, `inspect.py` and
`spread.py` (which files, of which format, and some rows from all over them), `columns.py`, `marks.py`
and `timing.py` (which keys become which columns, what a comma is, in which unit), `rules.py` (the same
for every file), `first_pass.py` (chunk by chunk; `evaluate.py` makes values, `clean.py` sets bad ones
aside), `settle.py` (what only other rows show; `doubts/` refuses, asks or tells), and `second_pass.py`
(in order of arrival, ids replaced by ordinals). `growing.py` puts logs behind others, `remote.py`
fetches them, `catalog.py` knows published ones. `readers/` turns bytes into records, `parsing/` text
into typed columns. To add a log format, add a file to a folder of `formats/`.
"""

from workloadlab.ingestion.formats import FORMATS, Column, Format
from workloadlab.ingestion.ingest import ingest
from workloadlab.ingestion.readers.limits import without_limits

__all__ = ["FORMATS", "Column", "Format", "ingest", "without_limits"]
