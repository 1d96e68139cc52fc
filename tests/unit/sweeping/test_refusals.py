"""What a sweep or a merge refuses leaves nothing behind, and what it says to do works."""

from __future__ import annotations

from ctypes import CDLL, c_double

import pytest
from support.sweeps import files_of, small_grid

import workloadlab as wl
from workloadlab import score
from workloadlab.errors import DataError, UsageError
from workloadlab.sweeping import merge, run_sweep
from workloadlab.trace import write_atomically


def two_parts(folder):
    parts = [folder / "part1", folder / "part2"]
    for number, part in enumerate(parts, start=1):
        run_sweep(small_grid(folder), out=part, shard=f"{number}/2")
    return parts


def a_score(part):
    return sorted(path for path in part.glob("*.json") if path.name != "manifest.json")[-1]


@pytest.mark.parametrize("given", ["rollout", wl.oracle("rollout")], ids=["a name", "an oracle"])
def test_oracles_are_not_swept(tmp_path, given):
    alone = (
        r"rollout.* is an oracle, .* cannot be swept\n  fix: .* wl.replay_oracles\(trace, cluster, "
    )
    with pytest.raises(UsageError, match=alone):
        small_grid(tmp_path, routers=["round_robin", given])


def test_a_router_that_cannot_be_compiled_is_refused_before_any_run(tmp_path):
    @wl.router
    def worst(request, instance):
        return instance.queued_tokens + len(open("a"))  # noqa: PTH123

    out = tmp_path / "out"
    with pytest.raises(UsageError, match="'worst'"):
        run_sweep(small_grid(tmp_path, routers=["round_robin", worst]), out=out)
    assert not out.exists()


def test_a_router_that_reads_what_no_digest_can_be_made_of_is_refused(tmp_path):
    root = CDLL(None).sqrt
    root.argtypes, root.restype = (c_double,), c_double

    @wl.router
    def rooted(request, instance):
        return root(instance.queued_tokens)

    assert callable(rooted.compiled)
    with pytest.raises(UsageError, match=r"'rooted': .* so a sweep cannot tell when it changes"):
        _ = small_grid(tmp_path, routers=[rooted]).cells


def test_a_merge_with_a_damaged_part_leaves_nothing(tmp_path):
    parts, there = two_parts(tmp_path), tmp_path / "there"
    whole = a_score(parts[1])
    whole.write_bytes(whole.read_bytes()[:400])
    again = "remove the folder and run the shard again: .* --shard 2/2 -o .*part2"
    with pytest.raises(DataError, match=again):
        merge(parts, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    there.mkdir()
    with pytest.raises(DataError, match="is damaged"):
        merge(parts, there)
    assert not list(there.iterdir())


def test_a_part_with_a_damaged_manifest_is_made_again_as_it_says(tmp_path):
    parts = two_parts(tmp_path)
    before, manifest = files_of(parts[1]), parts[1] / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:400])
    again = "remove the folder and run the shard again: .* --shard K/N -o .*part2"
    with pytest.raises(DataError, match=again):
        merge(parts, tmp_path / "merged")
    with pytest.raises(DataError, match="remove the folder, and replay again"):
        score(parts[1])
    for path in parts[1].iterdir():
        path.unlink()
    run_sweep(small_grid(tmp_path), out=parts[1], shard="2/2")
    assert files_of(parts[1]) == before


def test_a_part_is_given_once(tmp_path):
    one, two = two_parts(tmp_path)
    for same in (one, tmp_path / "." / "part2" / ".." / "part1"):
        with pytest.raises(UsageError, match="is given twice\n  fix: give each shard once"):
            merge([one, two, same], tmp_path / "merged")
    with pytest.raises(UsageError, match="--shard 1/2 -o PART"):
        merge([two], tmp_path / "merged")


def test_a_sweep_that_is_not_finished_is_no_board(tmp_path):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out)
    (out / "manifest.json").unlink()
    with pytest.raises(UsageError, match="not finished\n  fix: run it again with the same command"):
        score(out)
    assert run_sweep(small_grid(tmp_path), out=out).replayed == 0
    assert len(score(out).runs) == 12


def test_a_start_that_is_refused_leaves_no_folder(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="has no host and port"):
        run_sweep(small_grid(tmp_path), out=out, engine="dask", address="nowhere")
    assert not out.exists()


def test_a_second_driver_is_told_of_the_folder(tmp_path):
    out = tmp_path / "out"
    run_sweep(small_grid(tmp_path), out=out)
    told = r"out: is being written by another process\n  fix: wait for it, or name another folder"
    with pytest.raises(UsageError, match=told), write_atomically(out / "manifest.json"):
        run_sweep(small_grid(tmp_path), out=out)
