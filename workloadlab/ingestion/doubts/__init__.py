"""Does a log make sense as a whole? What is refused, asked about, or told.

Start with `plausibility.py`, which judges the sample that `sampled.py` takes of every chunk;
`two_units.py` finds durations in two units; `verdicts.py` says what is wrong with a file of which no
row, or hardly one, is left.
"""
