"""A copy of the package is edited between two processes, as a new version does it in place."""

from __future__ import annotations

import pytest
from support.compiled import PackageCopy

ESTIMATORS = """
import json
import numpy as np
from workloadlab.latency.estimators import linear_kernel, linear_table, table_kernel, trees_kernel
from workloadlab.jit import COMPILED

flat = np.zeros(linear_table.TABLE_CELLS + 200)
grid = linear_table.TABLE_CELLS + 3
table = flat.copy()
table[linear_table.TABLE_CELLS] = grid
table[grid:grid + 10] = 2, 2, 1, 2, 10, 20, 0.02, 0.02, 0.02, 0.02
boxed = flat.copy()
boxed[linear_table.TABLE_CELLS + 4:linear_table.TABLE_CELLS + 8] = 1, 2, 10, 20
values = {
    "curve": float(linear_kernel.curve(np.ones(1), flat)[0]),
    "linear": linear_kernel.step_time(0.0, 0.0, 1.0, 15.0, flat),
    "table": table_kernel.step_time(0.0, 0.0, 1.0, 15.0, table),
    "trees": trees_kernel.step_time(0.0, 0.0, 1.0, 15.0, flat),
    "boxed": trees_kernel.step_time(0.0, 0.0, 1.0, 15.0, boxed),
}
new = sorted(one.name.removeprefix("workloadlab.latency.estimators.") for one in COMPILED
             if one.code is not None and sum(one.dispatcher.stats.cache_misses.values()))
print(json.dumps([values, new]))
"""
ENGINE = """
import json
import numpy as np
from workloadlab.jit import COMPILED, entry
from workloadlab.simulation.engine import prefix_index
from workloadlab.simulation.engine.record_types import SEQUENCE
from asking import first

slots = np.zeros(2, SEQUENCE)
slots["priority"], slots["predicted"], slots["target"] = (1, 2), (2, 1), (1, 2)
new = sorted(one.dispatcher.py_func.__name__ for one in COMPILED
             if one.code is not None and sum(one.dispatcher.stats.cache_misses.values()))
print(json.dumps([[first(order, slots) for order in range(4)], new]))
"""
ASKING = """
from workloadlab.jit import entry
from workloadlab.simulation.engine.admission import before_in_queue

@entry()
def first(order, slots):
    return before_in_queue(order, slots[0], slots[1])
"""


@pytest.fixture
def copied(tmp_path, bytecode):
    return PackageCopy(tmp_path, bytecode)


def test_edits_of_estimators_give_new_results_where_they_are_reached_and_only_there(copied):
    first, _ = copied.run(ESTIMATORS)
    assert (first["curve"], first["linear"], first["table"]) == (0.0, 0.0, 0.02)

    copied.edit(
        "latency/estimators/linear_kernel.py",
        "return float(table[pair] + table[pair + 1] * total_tokens)",
        "return float(table[pair] + table[pair + 1] * total_tokens) + 5.0",
    )  # fmt: skip
    values, new = copied.run(ESTIMATORS)
    assert values == {**first, "curve": 5.0, "table": 5.02}
    assert new == ["linear_kernel.curve", "table_kernel.decode_line", "table_kernel.step_time"]

    copied.edit(
        "latency/estimators/linear_kernel.py", "    total = prefill_tokens + decode_seqs\n",
        "    total = prefill_tokens + decode_seqs\n    if decode_seqs == 1.0:\n        return 7.0\n",
    )  # fmt: skip
    values, new = copied.run(ESTIMATORS)
    assert (values["linear"], values["trees"], values["table"]) == (7.0, 7.0, 5.02)
    assert new == [
        "linear_kernel.decode_line", "linear_kernel.step_time",
        "table_kernel.decode_line", "table_kernel.step_time",
        "trees_kernel._inside_time", "trees_kernel.decode_line", "trees_kernel.step_time",
    ]  # fmt: skip

    copied.edit(
        "latency/estimators/trees_kernel.py",
        "    return float(total)\n",
        "    return float(total) + 1.0\n",
    )
    later, new = copied.run(ESTIMATORS)
    assert later["boxed"] > values["boxed"]
    assert {**later, "boxed": 0} == {**values, "boxed": 0}
    assert new == [
        "trees_kernel._inside_time",
        "trees_kernel.decode_line",
        "trees_kernel.step_time",
        "trees_kernel.tree_sum",
    ]

    copied.edit("latency/domain.py", '"""Where a', '"""In which place a')
    assert copied.run(ESTIMATORS) == [later, []]
    for stem in ("linear_kernel", "table_kernel", "trees_kernel"):
        files = [*copied.folder.rglob(f"{stem}.*.nbc")]
        assert 0 < len(files) == len({file.name.rpartition("-")[0] for file in files})


def test_edits_of_the_engine_three_files_away_are_seen(copied):
    (copied.folder / "asking.py").write_text(ASKING)
    order, _ = copied.run(ENGINE)
    assert order == [False, True, False, False]

    names = '"fcfs", "priority", "least_work_left", "bin_packing"'
    copied.edit(
        "simulation/engine/record_types.py",
        names,
        '"fcfs", "least_work_left", "priority", "bin_packing"',
    )  # `before_in_queue` reads this constant, and `first` calls it
    order, new = copied.run(ENGINE)
    assert order == [False, False, True, False]
    assert not {"index_match", "index_insert"} & set(new)

    copied.edit(
        "simulation/engine/blocks/told.py", "(i >> 6), block] |= 1", "(i >> 6), block] ^= 1",
    )  # fmt: skip
    _, new = copied.run(ENGINE)
    assert "index_insert" in new
    assert "index_match" not in new
