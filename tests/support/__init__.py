"""What several test files need: builders of traces, workloads, clusters, models and scenes.

`pythonpath = ["tests"]` in pyproject.toml makes it importable from every test, also when one folder is
run alone: `from support.traces import trace_of`. Start with `traces.py`. `source.py` reads the package's
own files for the tests in `tests/architecture`.
"""
