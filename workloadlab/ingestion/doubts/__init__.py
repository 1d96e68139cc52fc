"""Does a log make sense as a whole? What is refused, asked about, or told.

Start with `plausibility.py`, which judges the sample that `sampled.py` takes of every chunk. Its
questions are in `durations.py` (impossible speeds), `two_units.py` (one column in ms and in s) and
`windows.py` (rows that are sums of a stretch of time). `runs.py` asks about runs that begin anew in
one file, `again.py` tells of requests that a log holds twice, `unread.py` of keys that are not read.
`repeated.py` looks at the head of a log, before it is read, for tokens that records repeat;
`verdicts.py` says what is wrong with a file of which no row, or hardly one, is left. To add a doubt,
write a function that looks at the sample, and call it in `plausibility.py`: it raises what cannot be,
and returns a sentence about what is odd.
"""
