"""Shares of the released clients of a production service against figures computed independently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from workloadlab.characterization.statistics.shares import Shares, share_out

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data
ROWS = {
    "language__m-large": (162, 236_892_826, (".1605", ".4276", ".6322"), 39, ".8278"),
    "language__m-small": (43, 1_420_558_786, (".2988", ".7699", ".9281"), 9, ".8389"),
    "reason__deepseek-r1": (73, 1_383_669, (".2859", ".5247", ".6773"), 25, ".7524"),
    "multimodal__mm-image": (35, 818_610, (".1352", ".5600", ".8278"), 15, ".6510"),
}


def shares_of(shared_data: Path, name: str) -> tuple[Shares, int]:
    windows = pl.read_parquet(shared_data / "servegen" / name / "arrivals.parquet")
    requests = (
        windows.group_by("client_id")
        .agg((pl.col("rate_rps") * 600).sum())
        .sort("client_id")["rate_rps"]
        .to_numpy()
    )
    return share_out(np.rint(requests).astype(np.int64)), round(float(requests.sum()))


@pytest.mark.parametrize("name", ROWS)
def test_client_shares(shared_data: Path, name: str) -> None:
    clients, total, tops, k90, gini = ROWS[name]
    shares, requests = shares_of(shared_data, name)
    assert (shares.count, requests, shares.k90) == (clients, total, k90)
    for value, text in zip(
        (shares.top1, shares.top5, shares.top10, shares.gini), (*tops, gini), strict=True
    ):
        assert f"{value:.4f}" == f"0{text}"
