"""Prefix reuse of a trace of any size: the uses of each block brought together on disk.

Start with `topic.py`: `prefix_of` makes the topic. `by_block.py` reads the prompts once, in order of
arrival, and writes each use of a block to the file that all uses of that block lie in. `uses.py` counts
one file, by the table in `kernels.py`; what the files leave is merged like parts are. `distinct.py`
counts pairs of session and block. Caches that evict need all blocks in one order: `sample.py` holds a
share of the blocks, chosen by their ids, and what they tell of caches of that share of the size.

To add a quantity: count it in `uses.py`, give its rule in `RULES` there, read it in `topic.py`.
"""
