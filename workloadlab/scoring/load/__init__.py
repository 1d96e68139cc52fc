"""What changes with the rate: a router's knee, where it loses its targets, where two change places.

Start with `found_rate.py`, a rate between those tried, with its interval.
Then `knee.py`, `lost.py` and `crossings.py`, which find one each.
Then `summary.py`, the table and the sentences of a board.
To add a rate, write the file that finds it, and its column in `summary.py`.
"""
