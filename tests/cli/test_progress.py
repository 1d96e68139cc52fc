"""How far a verb is: counted over its parts, said at growing distances."""

from __future__ import annotations

from workloadlab.cli.terminal.progress import Lines
from workloadlab.execution import run_lanes, watched


def said(capsys, moments, ends):
    clock = iter([0.0, *moments])
    lines = Lines("Replaying", lambda: next(clock))
    for done, total in ends:
        lines.tell(done, total)
    return capsys.readouterr().err.splitlines()


def test_what_is_quick_says_nothing(capsys):
    assert said(capsys, [0.0, 0.5, 0.9], [(0, 2), (1, 2), (2, 2)]) == []


def test_lines_come_at_doubling_distances(capsys):
    ends = [(number, 10) for number in range(10)]
    assert said(capsys, range(10), ends) == [
        "Replaying: 1 of 10, 1 per second, 9 s left",
        "Replaying: 2 of 10, 1 per second, 8 s left",
        "Replaying: 4 of 10, 1 per second, 6 s left",
        "Replaying: 8 of 10, 1 per second, 2 s left",
    ]


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
