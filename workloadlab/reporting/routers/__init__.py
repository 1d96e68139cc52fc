"""Scoreboards and runs as a section of the report: who leads, and what cannot be told apart.

Start with `section.py`: what it says and in which order. `ranking.py` decides who leads and who is
tied; `grid.py` is the table. A figure is one file: `latency.py`, `differences.py`, `load.py`; each
holds a dataclass that draws itself and the function that reads the board. To add a figure, write
its file and name it in `section.py`.
"""
