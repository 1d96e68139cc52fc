"""Real clusters with and without a router: predicted changes have the sign of the measured ones."""

from __future__ import annotations

import polars as pl
import pytest
from support.calibrations import hasty
from support.lmbench import NO_PREDICTION, simulation_error, study, tallies, unpredicted

pytestmark = pytest.mark.data

SOME = ("8 A100, 8B, 21k tokens", "2 x 2 A100, 70B, 76 tokens")


def printed(table):
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=280, fmt_str_lengths=220, float_precision=3,
                   tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True,
                   tbl_formatting="NOTHING"):  # fmt: skip
        print(table)


def test_the_predicted_change_has_the_measured_sign(shared_data, tmp_path):
    """Two of seven settings, two draws of a placement and short searches; the accuracy page has all."""
    with hasty():
        everything = study(shared_data, tmp_path, names=SOME, seeds=2)
    found = everything.filter(why="").drop("why")
    printed(found)
    print("Not judged:")
    printed(everything.filter(pl.col("why") != "")
            .drop("enough", "sure", "agrees", "agrees_without_hop"))  # fmt: skip
    print(f"No prediction: {NO_PREDICTION}")
    printed(unpredicted(shared_data))
    print("Same sign, of the pairs whose measured change exceeds 10 %")
    shares = {}
    for title, rows in tallies(everything).items():
        print(f"{title}: {rows['agrees'].sum()} of {rows.height}")
        shares[title] = rows["agrees"].mean()
    short = tallies(everything)["2 replicas"]["agrees_without_hop"]
    print(f"2 replicas, by routing alone, without the fitted hop: {short.sum()} of {len(short)}")
    error = simulation_error(everything)
    print(f"median error of the simulated runs without a router: {error:.1%}")
    assert everything["predicted"].is_finite().all()
    assert shares["without p99 of fewer than 100 requests"] >= 0.9
    assert shares["of these, where nearly all placements give the predicted sign"] >= 0.93
    assert shares["8 replicas"] >= 0.7
    assert shares["8 replicas, mean under routing by session"] == 1
    assert error < 0.06
