"""Text that is not UTF-8, and lines that are neither tables nor JSON."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

import workloadlab as wl
from workloadlab.ingestion.parsing import stream

if TYPE_CHECKING:
    from pathlib import Path

    from workloadlab.trace import Trace

S, MS = 10**9, 10**6
N = 400


def read(folder: Path, text: bytes) -> Trace:
    (folder / "log").write_bytes(text)
    return wl.ingest(folder / "log")


def columns(trace: Trace, *names: str) -> list[tuple[Any, ...]]:
    return trace.frame.select(names).collect().rows()


CSV = "timestamp,prompt_tokens,note\r\n" + "".join(
    f"2026-09-21T14:{20 + n // 60}:{n % 60:02}Z,{90 + n},größer 大\r\n" for n in range(N)
)
JSON = "".join(
    json.dumps({"timestamp": 1790000000 + n, "prompt_tokens": 90 + n, "note": "大"}) + "\n"
    for n in range(N)
)


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("text", [CSV, JSON], ids=["csv", "jsonl"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_utf_16(tmp_path: Path, order: str, text: str, pack: Any) -> None:
    mark = {"le": b"\xff\xfe", "be": b"\xfe\xff"}[order]
    trace = read(tmp_path, pack(mark + text.encode(f"utf-16-{order}")))
    assert columns(trace, "arrival_ns", "input_tokens") == [(n * S, 90 + n) for n in range(N)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_pairs(tmp_path: Path, pack: Any) -> None:
    lines = [
        f'ts={1790000000 + n}.5 level=info msg="it \\"is\\" a=b" prompt_tokens={90 + n} '
        f"completion_tokens=50 duration={1500 + n}ms status=200"
        for n in range(N)
    ]
    lines[7] = "panic: nothing"
    lines[9] += "\n"
    trace = read(tmp_path, pack("\n".join(lines).encode()))
    expected = [(n * S, 90 + n, (1500 + n) * MS, "ok") for n in range(N) if n != 7]
    assert columns(trace, "arrival_ns", "input_tokens", "e2e_ns", "outcome") == expected
    assert trace.provenance.rows["rejected"] == {"invalid JSON": 1}


def test_pairs_behind_a_moment(tmp_path: Path) -> None:
    lines = [
        f"2026-09-21 14:13:{n:02},250 INFO gw: prompt_tokens={90 + n}, completion_tokens=5, user=u\n"
        for n in range(9)
    ]
    trace = read(tmp_path, "".join(lines).encode())
    assert columns(trace, "arrival_ns", "input_tokens") == [(n * S, 90 + n) for n in range(9)]


def test_pairs_behind_the_name_of_a_pod(tmp_path: Path) -> None:
    lines = [f"[pod/gw-1/gw] ts={1790000000 + n} level=info prompt_tokens=9\n" for n in range(9)]
    assert read(tmp_path, "".join(lines).encode()).requests == 9


def test_pairs_in_a_shipped_line(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 1790000009 + n, "line": f"ts={1790000000 + n} level=info prompt_tokens=9"}
        for n in range(5)
    ]
    trace = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert trace.provenance.t0_unix_ns == 1790000000 * S


def rows(count: int) -> list[dict[str, Any]]:
    return [{"ts": 1790000000 + n, "prompt_tokens": 90 + n, "note": "x" * 90} for n in range(count)]


@pytest.mark.parametrize(("indent", "copies"), [(None, 1), (1, 1), (1, 2)])
@pytest.mark.parametrize("way", ["requests", "page.rows"])
def test_a_list_in_a_document_does_not_enter_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, way: str, copies: int
) -> None:
    document: dict[str, Any] = {"run": {"args": [1, 2]}, "more": [{"size": n} for n in range(9)]}
    document |= {way: rows(900)} if "." not in way else {"page": {"next": None, "rows": rows(900)}}
    text = json.dumps(document | {"end": [{"a": [1]}]}, indent=indent) + "\n"
    (tmp_path / "log").write_text(text * copies)
    monkeypatch.setattr(stream, "BLOCK_CHARACTERS", 1 << 12)
    longest = []

    def raw_decode(self: json.JSONDecoder, text: str, idx: int = 0) -> Any:
        longest.append(len(text))
        return plain(self, text, idx)

    plain = json.JSONDecoder.raw_decode
    monkeypatch.setattr(json.JSONDecoder, "raw_decode", raw_decode)
    expected = [(n // copies * S, 90 + n // copies) for n in range(900 * copies)]
    trace = wl.ingest(tmp_path / "log")
    assert columns(trace, "arrival_ns", "input_tokens") == expected
    assert max(longest) < 1 << 15
