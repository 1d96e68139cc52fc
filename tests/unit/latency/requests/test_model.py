"""TTFT and TPOT from what a router sees: what is read, learnt, kept and refused."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.latency import RequestModel, fit_requests
from workloadlab.latency.requests.rows import read_request_rows, request_rows


def rows(count: int = 2000, seed: int = 0) -> pl.DataFrame:
    """TTFT grows with the prompt and the queue, and is spread exponentially."""
    rng = np.random.default_rng(seed)
    tokens, waiting = rng.integers(10, 4000, count), rng.integers(0, 30, count)
    ttft = 0.02 + 1e-5 * tokens + 0.01 * waiting
    return pl.DataFrame(
        {
            "input_tokens": tokens,
            "waiting": waiting,
            "ttft_s": ttft * rng.exponential(1.0, count),
            "tpot_s": np.where(np.arange(count) % 2, 0.02 + 1e-3 * waiting, np.nan),
        }
    ).with_columns(pl.col("tpot_s").fill_nan(None))


@pytest.fixture(scope="module")
def model() -> RequestModel:
    return fit_requests(rows(), name="mine")


def test_quantiles_are_learnt_and_hold_on_new_requests(model) -> None:
    new = rows(seed=1)
    predicted = model.predict(new)
    quantiles = ["ttft_s_0.5", "ttft_s_0.9", "tpot_s_0.5", "tpot_s_0.9"]
    assert predicted.columns == [*quantiles, "in_domain"]
    assert predicted["in_domain"].mean() > 0.99
    for column, share in (("ttft_s_0.5", 0.5), ("ttft_s_0.9", 0.9)):
        assert (new["ttft_s"] <= predicted[column]).mean() == pytest.approx(share, abs=0.04)
        assert model.coverage[column.replace("_s_", "_s ")] == pytest.approx(share, abs=0.08)
    truth = np.log(2) * (0.02 + 1e-5 * new["input_tokens"] + 0.01 * new["waiting"])
    assert (predicted["ttft_s_0.5"] / truth - 1).abs().mean() < 0.25
    assert model.card.find("tpot_s").mape < 0.02
    assert model.card.find("ttft_s by waiting", "1 to 16").rows > 0


def test_predictions_are_what_the_kernel_gives_and_quantiles_do_not_cross(model) -> None:
    new = rows(50, seed=2)
    predicted = model.predict(new)
    kernel, table = model.kernel("ttft_s")
    inputs = np.ascontiguousarray(new.select(model.features).to_numpy().astype(float))
    assert predicted["ttft_s_0.5"].to_list() == [kernel(row, table) for row in inputs]
    assert (predicted["ttft_s_0.9"] >= predicted["ttft_s_0.5"]).all()
    with pytest.raises(UsageError, match=r"does not predict ttft_s at 0\.7"):
        model.kernel("ttft_s", 0.7)


def test_a_saved_model_is_the_same_model(model, tmp_path) -> None:
    path = tmp_path / "m.json"
    model.save(path)
    assert RequestModel.load(path) == model
    assert "TTFT" not in str(model)
    assert "held-out MAPE" in repr(model)


def mix(tokens: tuple[int, int], waiting: int, factor: float, seed: int) -> pl.DataFrame:
    """Prompts of one kind, which take `factor` times as long as their tokens say."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(*tokens, 300)
    return pl.DataFrame(
        {
            "input_tokens": drawn,
            "waiting": rng.integers(0, waiting + 1, 300),
            "ttft_s": factor * (0.02 + 1e-5 * drawn) * np.exp(rng.normal(0, 0.05, 300)),
        }
    )


MIXES = {"short": mix((10, 100), 0, 1.0, 1), "long": mix((8000, 12000), 30, 3.0, 2)}
THIRD = mix((900, 2000), 30, 2.0, 3)
"""Between the two, within their box, and in none of their cells."""


def test_each_mix_is_judged_by_a_fit_of_the_others_and_a_third_is_flagged() -> None:
    model = fit_requests(MIXES)
    left_out = [part for part in model.card.slices if part.by == "ttft_s by left-out mix"]
    assert [part.slice for part in left_out] == ["long", "short"]
    assert model.card.find("ttft_s").mape < 0.1
    assert min(part.mape for part in left_out) > 0.5
    assert "left-out mix" in str(model)
    assert not model.predict(THIRD)["in_domain"].any()
    for rows_of_mix in MIXES.values():
        assert model.predict(rows_of_mix)["in_domain"].all()


def test_each_file_of_a_folder_is_a_mix(tmp_path) -> None:
    for name, rows_of_mix in MIXES.items():
        rows_of_mix.write_parquet(tmp_path / f"{name}.parquet")
    names = [part.slice for part in fit_requests(tmp_path).card.slices if "mix" in part.by]
    assert names == ["long", "short"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="holds no rows"):
        fit_requests(tmp_path / "none")
    with pytest.raises(DataError, match="share no feature"):
        fit_requests({"a": MIXES["short"].drop("waiting"), "b": MIXES["long"].drop("input_tokens")})


def test_a_model_of_an_older_file_flags_nothing(model) -> None:
    facts = json.loads(json.dumps(model.to_dict()))
    del facts["domain"]
    old = RequestModel.from_dict(facts)
    assert old.predict({"input_tokens": [9e9], "waiting": [0.0]})["in_domain"].all()


def test_rows_of_a_trace_and_of_a_predictor_mean_the_same(tmp_path) -> None:
    trace = pl.DataFrame(
        {
            "input_tokens": [10, 20],
            "running_at_arrival": [1, 2],
            "waiting_at_arrival": [0, 3],
            "ttft_ns": [500_000_000, None],
            "e2e_ns": [1_500_000_000, None],
            "output_tokens": [11, 1],
        }
    )
    plain = request_rows(trace)
    assert plain.columns == ["input_tokens", "running", "waiting", "ttft_s", "tpot_s"]
    assert plain["ttft_s"].to_list() == [0.5, None]
    assert plain["tpot_s"].to_list() == [0.1, None]
    lines = [
        {"input_token_length": 10, "num_request_running": 1, "actual_ttft_ms": 500, "actual_tpot_ms": 0},
        {"input_token_length": 20, "num_request_running": 2, "actual_ttft_ms": 0, "actual_tpot_ms": 7.5},
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    read = read_request_rows(path)
    assert read["ttft_s"].to_list() == [0.5, None]
    assert read["tpot_s"].to_list() == [None, 0.0075]
    assert read["running"].to_list() == [1.0, 2.0]


def test_bad_rows(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        fit_requests(tmp_path / "none.jsonl")
    broken = tmp_path / "rows.jsonl"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        fit_requests(broken)
    with pytest.raises(DataError, match="lacks the columns input_tokens"):
        fit_requests(rows().select("ttft_s"))
    with pytest.raises(DataError, match="lacks the columns ttft_s"):
        fit_requests(rows().select("waiting"))
    with pytest.raises(DataError, match="row 3, column waiting: -1"):
        fit_requests(rows(200).with_columns(waiting=pl.Series([0, 1, -1, 2] * 50)))
    with pytest.raises(DataError, match="fewer than 100 rows"):
        fit_requests(rows(60))
    with pytest.raises(UsageError, match="quantiles are"):
        fit_requests(rows(), quantiles=(1.5,))


def test_bad_questions(model) -> None:
    with pytest.raises(UsageError, match="the rows lack waiting"):
        model.predict({"input_tokens": [5]})
    with pytest.raises(DataError, match="row 2, column waiting: nan"):
        model.predict({"input_tokens": [5, 6], "waiting": [1.0, None]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(format="x"), "is not a request model"),
        (lambda f: f.update(format_version=9), "field format_version is 9"),
        (lambda f: f["features"].append("weather"), "field features is"),
        (lambda f: f["coefficients"].update(e2e_s={}), "field coefficients.e2e_s"),
        (lambda f: f["coefficients"]["ttft_s"]["0.5"].pop("constant"), "ttft_s.0.5.constant"),
        (
            lambda f: f["coefficients"]["ttft_s"]["0.9"]["trees"]["feature"].__setitem__(0, 2),
            r"trees.feature\[0\] is 2",
        ),
        (lambda f: f["card"].pop("split"), "field card is"),
        (lambda f: f["domain"].update(low=[0]), "field domain.low is"),
    ],
)
def test_a_hand_edited_file_names_the_field(model, change, message) -> None:
    facts = json.loads(json.dumps(model.to_dict()))
    change(facts)
    with pytest.raises(DataError, match=message):
        RequestModel.from_dict(facts, where="m.json")


def test_columns_that_lie_one_behind_the_other_in_memory_are_read(model):
    """Polars then lends them out, and they may not be written to."""
    count = len(model.features)
    flat = np.full(count, 4.0)
    rows = pl.DataFrame({name: flat[k : k + 1] for k, name in enumerate(model.features)})
    assert model.predict(rows).height == 1
