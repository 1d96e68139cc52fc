"""How far a verb is: counted over its parts, said at growing distances."""

from __future__ import annotations

import pytest

from workloadlab.cli.terminal.progress import Lines, Progress
from workloadlab.execution import run_lanes, watched


def said(capsys, moments, ends):
    clock = iter([0.0, *moments])
    lines = Lines("Replaying", lambda: next(clock))
    for done, total in ends:
        lines.tell(done, total)
    return capsys.readouterr().err.splitlines()


def test_what_is_quick_says_nothing(capsys):
    assert said(capsys, [0.0, 0.5, 0.9], [(0, 2), (1, 2), (2, 2)]) == []


def test_lines_come_at_doubling_distances_with_the_time_left_once_it_is_known(capsys):
    ends = [(number, 10) for number in range(10)]
    assert said(capsys, range(10), ends) == [
        "Replaying: 1 of 10, 1 s so far",
        "Replaying: 2 of 10, 2 s so far",
        "Replaying: 4 of 10, 1 per second, 6 s left",
        "Replaying: 8 of 10, 1 per second, 2 s left",
    ]


@pytest.mark.parametrize(
    ("done", "total", "left"),
    [(1, 5, ""), (2, 5, ""), (3, 5, "40 s left"), (9, 50, ""), (10, 50, "4 min left"),
     (19, 5000, ""), (20, 5000, "4 h 9 min left")],
)  # fmt: skip
def test_no_time_left_is_said_before_anybody_can_know_it(done, total, left):
    progress = Progress("Replaying", lambda: 0.0)
    progress.tell(0, total)
    progress.tell(done, total)
    words = progress.words(60.0)
    assert words.endswith(left or "60 s so far")
    assert ("left" in words) == bool(left)


def test_rounds_that_nobody_counted_have_no_time_left():
    progress = Progress("Planning", lambda: 0.0, rounds=True)
    progress.tell(0, 5)
    progress.tell(4, 5)
    assert progress.words(60.0) == "Planning: 4 of 5, 60 s so far"


def test_parts_are_added_up(capsys):
    ends = [(0, 2), (1, 2), (2, 2), (0, 4), (1, 4)]
    lines = said(capsys, [0, 0, 0, 0, 6], ends)
    assert lines == ["Replaying: 3 of 6, 0.5 per second, 6 s left"]


def test_lanes_of_a_lane_are_not_told_of():
    told = []

    def outer(number):
        return sum(run_lanes(abs, [(number,), (number,)], threads=1))

    with watched(lambda done, total: told.append((done, total))):
        for threads in (1, 2):
            assert run_lanes(outer, [(1,), (2,)], threads=threads) == [2, 4]
    assert told == [(0, 2), (1, 2), (2, 2)] * 2
    assert run_lanes(outer, [(3,)]) == [6]
