"""Columns of a log to values, exactly and column by column.

A value that is not what its column holds becomes null and is counted; nothing is guessed. Start
with `values.py` (integers, switches, words, block ids); then `times.py`, which turns seconds,
epochs and ISO dates into nanoseconds in integers, so that no digit is lost. To add a kind of value,
add its function to one of the two; `../clean.py` calls it. `text.py` says which columns of Parquet are
read without a way through text, and gives the text of all.
"""
