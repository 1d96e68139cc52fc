"""A profile as a section of the report.

`section.py` asks every topic for its figures: `FIGURES` of the module here that has the topic's name.
A topic of one figure is one file; one of several is a folder with a file for each. A figure is a frozen
dataclass that draws itself, and a function that reads the topic's facts into a `Plot` that carries it.
"""
