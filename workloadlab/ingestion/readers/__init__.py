"""Files to chunks of text columns: a reader for each container, all with one outcome.

A reader streams, so a log may be larger than the memory; a line that cannot be read is set aside
with its number and the reason, and the log goes on. Start with `chunk.py`, which is the outcome;
then `csv.py`, `json.py` (lines), `documents.py` (JSON that is no lines; `walk.py` reads its values one
by one) and `parquet.py`; `packing.py` opens what is packed, or written in other text. To add a
container, write its reader; `../inspect.py` recognises it by its content.
"""
