"""The parts of `../kv_blocks.py`: idle cells, runs of blocks without ids, and what a router is told."""
