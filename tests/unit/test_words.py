"""Numbers as sentences and tables say them."""

from __future__ import annotations

import pytest

from workloadlab.words import column, listed, plural, seconds, sentence, share, three, time_unit


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (0.000123456, "0.000123"), (9.999, "10.0"), (123456.7, "123,457"), (-2.5, "-2.50")],
)
def test_three_digits(value, said):
    assert three(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0 s"),
        (2.5e-7, "250 ns"),
        (0.001, "1 ms"),
        (0.9994, "999 ms"),
        (1.0, "1 s"),
        (119.0, "119 s"),
        (120.0, "2 min"),
        (-7200, "-2 h"),
        (1e-9, "1 ns"),
    ],
)
def test_seconds(value, said):
    assert seconds(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0434, "4.3%"),
        (0.0004, "0.04%"),
        (0.99999, "over 99.99%"),
        (1e-9, "under 0.01%"),
        (0.5, "50%"),
        (1.25, "125%"),
    ],
)
def test_share(value, said):
    assert share(value) == said


def test_a_number_without_a_printed_digit_is_0():
    assert (three(-1e-15), three(4e-10), three(6e-10)) == ("0", "0", "0.000000001")


def test_a_column_has_one_unit_and_three_digits():
    unit, factor = time_unit([0.0589, None, 1.9])
    assert (unit, column([0.0589, None, 1.9], factor)) == ("ms", ["58.9", "-", "1,900"])
    assert time_unit([0.1, 0.2, 60.0]) == ("ms", 1000.0), "one outlier does not decide"
    assert time_unit([0.1, 2.0, 3.0]) == ("s", 1.0)
    assert time_unit([None, 0.0]) == ("s", 1.0)
    assert column([0.0, None]) == ["0", "-"]


def test_sentences():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert plural(1, "run") == "1 run"
    assert plural(1200, "run") == "1,200 runs"
    assert sentence("no request has it") == "No request has it."
    assert sentence("Done.") == "Done."
