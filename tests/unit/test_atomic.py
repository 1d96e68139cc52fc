"""Files and folders of one writer each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from workloadlab.atomic import scratch_folder


def test_scratch_folders_made_at_once_do_not_remove_each_other(tmp_path):
    def holds(_):
        with scratch_folder("one-", tmp_path) as folder:
            return (folder / "owner").is_file()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(holds, range(400)))
    assert not list(tmp_path.iterdir())
