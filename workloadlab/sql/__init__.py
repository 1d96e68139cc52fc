"""Named SQL over any trace: the files of `queries/`.

Start with any file of `queries/`: one SELECT over the view `trace`, below a header that says what
it answers and which parameters it takes. `query_file.py` reads that header, `run.py` binds
parameters and lets DuckDB run the SELECT, so that a query sees the same columns as the library, in
a `sandbox.py` from which nothing else of the machine is seen; `results.py` has what DuckDB's types
become. To add a query, add a file; a test compares what the library measures too.
"""

from workloadlab.sql.query_file import OutputColumn, Parameter, Query, queries
from workloadlab.sql.run import query

__all__ = ["OutputColumn", "Parameter", "Query", "queries", "query"]
