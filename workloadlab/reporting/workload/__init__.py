"""A profile as a section of the report: sentences, tables, and the figures of each topic.

Start with `section.py`, which asks every topic for its figures: `FIGURES` of the module here that has
the topic's name. A topic of one figure is one file, as `service_levels.py`; one of several is a folder
with a file for each, as `arrivals/`. A figure is a frozen dataclass that draws itself, and a function
that reads the topic's facts into a `Plot` that carries it. To add a figure, write it there and name it
in `FIGURES`.
"""
