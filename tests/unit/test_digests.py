"""No flipped bit of an artefact is read in silence."""

from __future__ import annotations

import random

import pytest
from support.traces import requests_every

from workloadlab import Trace
from workloadlab.digests import unverified
from workloadlab.errors import DataError


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def test_every_flipped_bit_of_a_trace_is_refused(tmp_path):
    path = tmp_path / "a.trace"
    saved = requests_every(1, 50).save(path)
    whole, rows = path.read_bytes(), saved.frame.collect()
    draw, silent = random.Random(0), 0
    for _ in range(120):
        path.write_bytes(flipped(whole, draw.randrange(len(whole) * 8)))
        try:
            found = Trace.open(path)
        except DataError:
            continue
        silent += 1
        assert found.frame.collect().equals(rows)
    assert silent <= 2


def test_a_trace_without_a_digest_is_read(tmp_path):
    saved = requests_every(1, 5).save(tmp_path / "a.trace")
    text = saved.path.read_bytes().replace(b'"file_sha256"', b'"file_sha000"')
    saved.path.write_bytes(text)
    assert Trace.open(saved.path).requests == 5


def test_a_damaged_trace_is_read_on_demand(tmp_path):
    saved = requests_every(1, 5).save(tmp_path / "a.trace")
    text = saved.path.read_bytes().replace(b'"notes": []', b'"nodes": []')
    saved.path.write_bytes(text)
    with pytest.raises(DataError, match=r"is damaged.*\n.*--no-verify"):
        Trace.open(saved.path)
    with unverified():
        assert Trace.open(saved.path).requests == 5
