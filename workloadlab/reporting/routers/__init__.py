"""Scoreboards and runs as a section of the report.

Start with `section`: what it says and in which order. `ranking` decides who leads and who is tied;
`grid` is the table. A figure is one file: `latency`, `differences`, `load`; each holds a dataclass
that draws itself and the function that reads the board.
"""
