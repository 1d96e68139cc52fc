"""Sequences that decode: `counted.py`, who ends when, and `runs.py`, many steps in one jump."""
