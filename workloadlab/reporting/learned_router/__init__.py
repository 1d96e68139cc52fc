"""A learned router as a section: whether it is better, where, and by what formula."""
