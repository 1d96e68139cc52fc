"""A sweep runs each cell once, keeps it by what it is made from, and scores it as `score` does."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.clusters import uniform_cluster
from support.sweeps import files_of, short_trace, small_grid, swept_options

from workloadlab import Trace, replay, score
from workloadlab.errors import DataError, UsageError
from workloadlab.execution import Shard
from workloadlab.routing import SHELF
from workloadlab.simulation import Cluster
from workloadlab.sweeping import merge, run_sweep, sweep
from workloadlab.sweeping.grid import draws
from workloadlab.sweeping.keys import key_of_cluster, key_of_router, key_of_trace
from workloadlab.trace import Runs, write_atomically


def one_by_one(trace, clusters, instances, *, routers, rate_scale, seeds, slo):
    """Sweep the obvious way: a replay for each size, every seed, and `score` of each."""
    [(name, cluster)] = clusters.items()
    frames = []
    for size in instances:
        sized = replace(cluster, pools=(replace(cluster.pools[0], instances=size),))
        runs = replay(trace, sized, routers=routers, rate_scale=rate_scale, seeds=seeds)
        scored = score(runs, slo=slo).frame
        frames.append(
            scored.select(
                pl.lit(f"{name}-{size}").alias("cluster"), pl.lit(size).alias("instances"), pl.all()
            )
        )
    return pl.concat(frames, how="diagonal_relaxed")


def test_a_sweep_is_what_replays_and_scores_one_by_one_are(tmp_path):
    options = swept_options()
    swept = sweep(short_trace(tmp_path), **options)
    every = one_by_one(Trace.open(short_trace(tmp_path)), **options)
    repeats = (pl.col("router") == "round_robin") & (pl.col("seed") > 0)
    key = ["cluster", "router", "rate_scale", "seed"]
    expected = every.filter(~repeats).drop("run_id").sort(key)
    assert_frame_equal(
        swept.drop("run_id").sort(key), expected, check_column_order=False, check_dtypes=False
    )
    left_out = every.filter(repeats).drop("run_id", "seed").sort(key[:3])
    kept = every.filter((pl.col("router") == "round_robin") & (pl.col("seed") == 0))
    assert_frame_equal(left_out, kept.drop("run_id", "seed").sort(key[:3]))


def test_routers_that_draw_nothing_do_the_same_with_every_seed():
    cluster = uniform_cluster(3, constant_s=0.02, max_num_seqs=2)
    names = [name for name, p in SHELF.items() if not (p.needs or draws(p, cluster))]
    assert len(names) > 10
    trace = Trace.of((0.02 * k, 10 + 7 * (k % 5), 3 + k % 11) for k in range(200))
    runs = replay(trace, cluster, routers=names, rate_scale=2.0, seeds=2)
    for first, second in zip(runs.traces[::2], runs.traces[1::2], strict=True):
        assert first.read("instance_id", "e2e_ns").equals(second.read("instance_id", "e2e_ns"))


def test_noise_replicas_and_draws_depend_on_the_seed():
    cluster = uniform_cluster(2)
    noisy = replace(cluster, pools=(replace(cluster.pools[0], step_noise=0.1),))
    assert not draws(SHELF["round_robin"], cluster)
    assert draws(SHELF["round_robin"], noisy)
    assert draws(SHELF["round_robin"], replace(cluster, replicas=2))
    assert draws(SHELF["random"], cluster)


def test_a_second_run_replays_nothing_and_writes_the_same(tmp_path):
    out = tmp_path / "out"
    first = run_sweep(small_grid(tmp_path), out=out)
    before = files_of(out)
    second = run_sweep(small_grid(tmp_path), out=out)
    assert (first.replayed, second.replayed) == (12, 0)
    assert files_of(out) == before
    assert_frame_equal(first.frame, second.frame)


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"rate_scale": [1.0, 2.5]}, 6),
        ({"routers": ["round_robin", "least_requests"]}, 4),
        ({"instances": [2, 4]}, 6),
        ({"seeds": 3}, 4),
        ({"slo": "ttft=0.2"}, 12),
        ({"clusters": {"small": uniform_cluster(2, constant_s=0.03, max_num_seqs=4)}}, 12),
    ],
    ids=["rate", "router", "size", "seeds", "targets", "cluster"],
)
def test_only_cells_that_changed_are_replayed(tmp_path, changed, again):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out)
    assert run_sweep(small_grid(tmp_path, **changed), out=out).replayed == again
    assert run_sweep(small_grid(tmp_path), out=out).replayed == 0


def test_one_router_of_another_code_is_another_cell(tmp_path):
    file = tmp_path / "mine.py"
    grids = []
    for sign in "+-":
        file.write_text(f"def mine(request, instance):\n    return {sign}instance.queued_tokens\n")
        grids.append(small_grid(tmp_path, routers=["round_robin", f"{file}:mine"]))
    [before, after] = [{cell.run_id: cell.key for cell in grid.cells} for grid in grids]
    changed = {run_id for run_id in before if before[run_id] != after[run_id]}
    assert changed == {run_id for run_id in before if "mine" in run_id}


def test_a_trace_in_memory_has_the_digest_that_its_file_has(tmp_path):
    path = short_trace(tmp_path)
    opened = Trace.open(path)
    in_memory = Trace(opened.frame, opened.provenance)
    assert key_of_trace(opened) == key_of_trace(in_memory)
    assert key_of_trace(opened) != key_of_trace(opened.filter(pl.col("row_id") > 0))


def test_keys_tell_models_and_parameters_apart():
    one, other = uniform_cluster(constant_s=0.02), uniform_cluster(constant_s=0.020001)
    assert key_of_cluster(one) != key_of_cluster(other)
    power = SHELF["power_of_d"]
    assert key_of_router(power) != key_of_router(power.with_params(4, *power.params[1:]))


def test_a_driver_that_dies_leaves_whole_cells_and_the_next_goes_on(tmp_path):
    whole = tmp_path / "whole"
    run_sweep(small_grid(tmp_path), out=whole, keep="outcomes")

    def die(swept):
        if len(swept.scores) >= 4:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(small_grid(tmp_path), out=out, keep="outcomes", show=die)
    left = len(list(out.glob("*.json")))
    assert 0 < left < 12
    assert run_sweep(small_grid(tmp_path), out=out, keep="outcomes").replayed == 12 - left
    assert files_of(out) == files_of(whole)


@pytest.mark.parametrize("ending", ["json", "trace"])
def test_a_damaged_cell_is_replayed(tmp_path, ending):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out, keep="outcomes")
    before = files_of(out)
    (out / "manifest.json").unlink()  # as if the driver had died before it wrote it
    victim = sorted(out.glob(f"*.{ending}"))[3]
    damaged = bytearray(victim.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    victim.write_bytes(damaged)
    assert run_sweep(small_grid(tmp_path), out=out, keep="outcomes").replayed == 1
    assert files_of(out) == before


def test_outcomes_are_kept_beside_scores_that_are_there(tmp_path):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out)
    with pytest.raises(UsageError, match="scores of a sweep and no outcomes"):
        Runs.open(out)
    assert run_sweep(small_grid(tmp_path), out=out, keep="outcomes").replayed == 12
    board = score(out, slo="ttft=0.3")
    assert len(board.runs) == 12
    assert board.pairs
    assert "small-2: random" in board.routers


def test_scores_alone_make_a_board_without_pairs(tmp_path):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out, keep="outcomes")
    from_outcomes = score(out, slo="ttft=0.1")
    run_sweep(small_grid(tmp_path), out=out)
    from_scores = score(out)
    assert [each.to_dict() for each in from_scores.runs] == [
        each.to_dict() for each in from_outcomes.runs
    ]
    assert from_scores.slo == from_outcomes.slo
    assert not from_scores.pairs
    assert "pairs are not compared here" in from_scores.text()
    with pytest.raises(UsageError, match="made with TTFT ≤ 100 ms"):
        score(out, slo="ttft=0.2")
    with pytest.raises(UsageError, match="no outcomes"):
        score(out, slices=["hour"])


def test_shards_merge_to_the_bytes_of_one_machine(tmp_path):
    whole, merged = tmp_path / "whole", tmp_path / "merged"
    grid = small_grid(tmp_path)
    run_sweep(grid, out=whole, keep="outcomes")
    parts = [tmp_path / f"part{k}" for k in (3, 1, 2)]
    for part in parts:
        run_sweep(grid, out=part, keep="outcomes", shard=f"{part.name[-1]}/3")
    merge(parts, merged)
    assert files_of(merged) == files_of(whole)
    assert run_sweep(grid, out=merged, keep="outcomes").replayed == 0


def test_a_merge_names_what_is_missing_damaged_or_strange(tmp_path):
    grid = small_grid(tmp_path)
    one, two, three = parts = [tmp_path / f"part{k}" for k in (1, 2, 3)]
    for number, part in enumerate(parts, start=1):
        run_sweep(grid, out=part, shard=Shard(number, 3))
    with pytest.raises(UsageError, match="of 3 shards are missing: 2"):
        merge([one, three], tmp_path / "merged")
    with pytest.raises(UsageError, match=r"is shard 1/3, and so is .*part1"):
        merge([one, two, three, shutil.copytree(one, tmp_path / "same")], tmp_path / "merged")
    other = tmp_path / "other"
    run_sweep(small_grid(tmp_path, seeds=1), out=other, shard="1/3")
    with pytest.raises(UsageError, match="shard of another sweep"):
        merge([one, two, three, other], tmp_path / "merged")
    whole = tmp_path / "whole"
    run_sweep(grid, out=whole)
    with pytest.raises(UsageError, match="is no shard of a sweep"):
        merge([one, two, whole], tmp_path / "merged")
    victim = next(path for path in two.glob("*.json") if path.name != "manifest.json")
    victim.write_text(victim.read_text().replace("1", "2", 1))
    with pytest.raises(DataError, match=victim.name):
        merge([one, two, three], tmp_path / "merged")
    victim.unlink()
    with pytest.raises(DataError, match=f"{victim.name}: is missing"):
        merge([one, two, three], tmp_path / "merged")
    assert not (tmp_path / "merged" / "manifest.json").exists()


def test_a_second_driver_on_one_folder_is_told(tmp_path):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out)
    before = files_of(out)
    with (
        pytest.raises(UsageError, match="being written by another process"),
        write_atomically(out / "manifest.json"),
    ):
        run_sweep(small_grid(tmp_path), out=out)
    assert files_of(out) == before


def test_runs_of_a_replay_are_not_replaced_by_a_sweep(tmp_path):
    out = tmp_path / "out"
    replay(short_trace(tmp_path), uniform_cluster(2)).save(out)
    with pytest.raises(UsageError, match="runs of a replay"):
        run_sweep(small_grid(tmp_path), out=out)
    run_sweep(small_grid(tmp_path), out=out, overwrite=True)
    assert len(list(out.iterdir())) == 13


def test_overwriting_runs_every_cell_again_and_removes_the_others(tmp_path):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out)
    assert run_sweep(small_grid(tmp_path, seeds=1), out=out, overwrite=True).replayed == 8
    assert len(list(out.iterdir())) == 9


def test_one_cluster_alone_keeps_its_plain_names(tmp_path):
    grid = small_grid(tmp_path, instances=[2])
    assert {cell.run_id for cell in grid.cells} >= {"round_robin__x1.0__s0", "random__x2.0__s1"}
    out = tmp_path / "out"
    run_sweep(grid, out=out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["cluster"] == grid.clusters["small-2"].to_dict()
    assert {info["router"] for info in manifest["runs"]} == {"round_robin", "random"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"instances": [0]}, "instances = 0"),
        ({"clusters": []}, "needs a cluster"),
        ({"rate_scale": []}, "nothing to replay"),
        ({"routers": ["no_such"]}, "no router is called 'no_such'"),
        ({"seeds": 20_000}, "more than 100,000 runs"),
        (
            {"clusters": Cluster(pools=tuple(
                replace(uniform_cluster().pools[0], name=name) for name in "ab"
            ))},
            "a cluster of one pool, and cluster1 has 2",
        ),
    ],
    ids=["size", "clusters", "rates", "router", "seeds", "pools"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(tmp_path, options, said):
    with pytest.raises(UsageError, match=said):
        small_grid(tmp_path, **options)


def test_options_without_a_folder_are_refused(tmp_path):
    grid = small_grid(tmp_path)
    with pytest.raises(UsageError, match="keep the outcomes in"):
        run_sweep(grid, keep="outcomes")
    with pytest.raises(UsageError, match="keep the shard in"):
        run_sweep(grid, shard="1/2")
    with pytest.raises(UsageError, match="keep = 'all'"):
        run_sweep(grid, keep="all")


def test_a_router_in_python_is_refused(tmp_path):
    class First:
        def choose(self, batch):
            return [0] * len(batch)

    with pytest.raises(UsageError, match="chooses in Python"):
        _ = small_grid(tmp_path, routers=[First()]).cells
