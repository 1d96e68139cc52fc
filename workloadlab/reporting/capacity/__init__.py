"""A plan as a section: the answer, its tables, and two figures."""
