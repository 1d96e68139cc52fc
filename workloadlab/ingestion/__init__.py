"""Request logs to a trace: recognise the format, stream the rows, set aside what is bad.

Start with `ingest.py`, which is the whole way in one function; then `sources.py` (which files, of
which format), `columns.py` (which keys become which columns), `first_pass.py` (chunk by chunk,
`clean.py` turns text into values), and `second_pass.py` (in order of arrival, ids replaced by
ordinals). `readers/` turns bytes into records, `parsing/` text into typed columns, `formats/` says
what each log format calls its columns. To add a log format, add a file to `formats/`.
"""

from workloadlab.ingestion.formats import FORMATS, Column, Format
from workloadlab.ingestion.ingest import ingest

__all__ = ["FORMATS", "Column", "Format", "ingest"]
