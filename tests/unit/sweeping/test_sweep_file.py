"""A sweep file says the axes; what it says wrong is named."""

from __future__ import annotations

import pytest

from workloadlab.errors import DataError, UsageError
from workloadlab.sweeping import read_sweep


def written(folder, text):
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def test_every_key_is_read(tmp_path):
    found = read_sweep(
        written(
            tmp_path,
            'clusters = ["a.toml"]\ninstances = [2, 4]\nrouters = ["random"]\nrate_scales = [1, 2.5]\n'
            'seeds = 3\nsessions = "closed"\nslo = "ttft=1"\nkeep = "outcomes"\n',
        )
    )
    assert found.instances == (2, 4)
    assert found.rate_scales == (1, 2.5)
    assert (found.seeds, found.sessions, found.slo, found.keep) == (
        3,
        "closed",
        "ttft=1",
        "outcomes",
    )


def test_one_value_of_an_axis_needs_no_list(tmp_path):
    found = read_sweep(written(tmp_path, 'clusters = "a.toml"\nrate_scales = 2\n'))
    assert (found.clusters, found.rate_scales) == (("a.toml",), (2,))


def test_files_are_found_beside_the_sweep_file(tmp_path):
    for name in ("a.toml", "mine.py", "r.json", "model.json"):
        (tmp_path / name).touch()
    routers = ["random", "mine.py:best", "mine.py", "r.json", "predicted_latency=model.json"]
    found = read_sweep(written(tmp_path, f'clusters = "a.toml"\nrouters = {routers}\n'))
    assert found.clusters == (f"{tmp_path}/a.toml",)
    assert found.routers == (
        "random", f"{tmp_path}/mine.py:best", f"{tmp_path}/mine.py", f"{tmp_path}/r.json",
        f"predicted_latency={tmp_path}/model.json",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clusters = ", "is not TOML"),
        ("", "clusters is missing"),
        ('clusters = "a.toml"\nrouter = "random"\n', "unknown key 'router'"),
        ('clusters = "a.toml"\nseeds = "many"\n', "seeds is 'many', not a whole number"),
        ('clusters = "a.toml"\nkeep = "all"\n', "keep is 'all', not one of metrics, outcomes"),
        ('clusters = "a.toml"\nrate_scales = [1, "x"]\n', r"rate_scales\[1\] is 'x'"),
    ],
    ids=["toml", "clusters", "key", "seeds", "keep", "rates"],
)
def test_a_wrong_file_is_refused(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_sweep(written(tmp_path, text))


def test_no_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such sweep file"):
        read_sweep(tmp_path / "sweep.toml")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seeds = 0", "seeds has 0, not 1 or more"),
        ("instances = [2, 0]", "instances has 0, not 1 or more"),
        ("rate_scales = [1, -2]", "rate_scales: rate scale -2 is not within 0.000001"),
        ("rate_scales = inf", r"rate_scales.0. is inf, not a number"),
        ("rate_scales = []", "rate_scales is empty"),
        ("routers = []", "routers is empty"),
        ('slo = "ttft=-1"', "slo: the target ttft = -1 s is not above 0"),
        ('slo = "speed=1"', "slo: 'speed' is no latency"),
        ('keep = "all"', "keep is 'all'"),
        ('sessions = "shut"', "sessions is 'shut'"),
        ('rate_scales = [1, "x"]', "rate_scales.1. is 'x'"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_its_file_and_an_example(tmp_path, line, said):
    key = line.partition(" ")[0]
    wrong = rf"sweep\.toml: {said}.*\n  fix: write, for example, {key} = "
    with pytest.raises(DataError, match=wrong) as caught:
        read_sweep(written(tmp_path, f'clusters = "a.toml"\n{line}\n'))
    read_sweep(
        written(
            tmp_path,
            f'clusters = "a.toml"\n{caught.value.fix.removeprefix("write, for example, ")}',
        )
    )
