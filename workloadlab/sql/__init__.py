"""Named SQL over any trace: the files of `queries/`.

Start with any file of `queries/`: one SELECT over the view `trace`, below a header.
`query_file.py` reads that header, `run.py` binds parameters and lets DuckDB run the SELECT.
To add a query, add a file.
"""

from workloadlab.sql.query_file import OutputColumn, Parameter, Query, queries
from workloadlab.sql.run import query

__all__ = ["OutputColumn", "Parameter", "Query", "queries", "query"]
