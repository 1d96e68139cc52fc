"""Edit each compiled function in turn in a copy of the package, and see who is compiled anew.

    python tests/bench/edit_every_kernel.py [PART OF A NAME]

After each edit a new process imports every kernel, compiles every router and characterizes a trace. What
reaches the edited function, by the text of the sources, must be compiled anew; all else must come from
the cache. It takes half an hour, so it is no test. Ends with 1 and the names if anything is wrong.
"""

from __future__ import annotations

import ast
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TRACE = Path(__file__).resolve().parents[2] / "traces" / "agent.jsonl"
LOOK = "from bench.edit_every_kernel import look; look()"


def main(wanted=""):
    """Print a line for each function; return how many were wrong."""
    from support.compiled import PackageCopy

    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        copied = PackageCopy(Path(folder), Path(folder) / "bytecode")
        begin = time.perf_counter()
        copied.run(LOOK)
        rows, reached = copied.run(LOOK)
        anew = [row["name"] for row in rows if row["misses"] and row["stored"]]
        print(f"{len(rows)} functions, warm after {time.perf_counter() - begin:.0f} s", anew or "")
        for name in [row["name"] for row in rows if wanted in row["name"]]:
            begin = time.perf_counter()
            edit(copied, next(row for row in rows if row["name"] == name))
            rows, _ = copied.run(LOOK)
            seen = {row["name"] for row in rows if row["stored"] and row["misses"] + row["hits"]}
            misses = {row["name"] for row in rows if row["stored"] and row["misses"]}
            callers = {caller for caller in seen if name in reached[caller]}
            wrong += misses != callers
            said = f"WRONG {sorted(misses ^ callers)}" if misses != callers else "right"
            seconds = time.perf_counter() - begin
            print(
                f"{name}: {len(callers)} of {len(seen)} anew, {said}, {seconds:.0f} s", flush=True
            )
    print(f"{wrong} wrong")
    return wrong


def edit(copied, row):
    """Put a statement that changes no result at the beginning of a function."""
    file = copied.folder / "workloadlab" / row["file"]
    lines = file.read_text().splitlines(keepends=True)
    lines.insert(row["line"] - 1, f"{' ' * row['indent']}edited = {copied.edits}\n")
    copied.write(row["file"], "".join(lines))


def look():
    """Print all compiled functions, where their first statements are, and what each reaches."""
    from support.compiled import everything, reached_by_name

    import workloadlab as wl
    from workloadlab.routing import SHELF

    everything()
    for policy in SHELF.values():
        assert policy.kind == "batch" or policy.compiled is not None
    wl.characterize(wl.ingest(TRACE))
    found = everything()
    reached = {name: sorted(names) for name, names in reached_by_name(found).items()}
    print(json.dumps([[row_of(one) for one in found], reached]))


def row_of(one):
    """Say of a function where it is and how often its machine code was found and was not."""
    from support.compiled import PACKAGE, node_of

    function, stats = one.dispatcher.py_func, one.dispatcher.stats
    body = node_of(function).body
    documented = isinstance(getattr(body[0], "value", None), ast.Constant) and len(body) > 1
    first = body[1 if documented else 0]
    return {
        "name": one.name, "stored": one.code is not None,
        "file": str(Path(function.__code__.co_filename).relative_to(PACKAGE)),
        "line": first.lineno, "indent": first.col_offset,
        "misses": sum(stats.cache_misses.values()), "hits": sum(stats.cache_hits.values()),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) > 0)
