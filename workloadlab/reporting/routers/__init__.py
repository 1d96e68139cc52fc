"""A scoreboard as a section of the page: who leads, by how much, and what cannot be told apart.

Start with `section.py`: the sentences and the order; then `grid.py`: the table of one rate scale
with the best of each column marked; then `ranking.py`: whom the paired intervals do not separate
from the best. `plots.py` draws latencies, paired differences, and latency against load. To add a
figure, draw it beside those and name it in `section.py`.
"""
