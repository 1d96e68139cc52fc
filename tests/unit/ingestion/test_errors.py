"""Everything that can be wrong with a log or a request to read it, and what the user is told."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import workloadlab as wl
from workloadlab.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
ROW = "2023-11-16 18:15:46.6805900,374,44\r\n"
BLOCKS = '{"timestamp": 0, "input_length": 1000, "output_length": 5, "hash_ids": [1, 2, 3, 4]}\n'
MAPPED = {"arrival": "ts", "input_tokens": "p"}
PLAIN = "ts,p,o\n17,5,6\n18,7,8\n"


def refusal(folder: Path, content: bytes | str, **options: Any) -> UsageError | DataError:
    """Ingest `content`, check that nothing was written, and return the error."""
    log = folder / "log"
    log.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((UsageError, DataError)) as caught:
        wl.ingest(log, folder / "out.trace", **options)
    assert [each.name for each in folder.iterdir()] == ["log"]
    assert str(caught.value).startswith(str(log)) or caught.value.where is None
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param(" \r\n\n", "is empty", id="white-space"),
        pytest.param(gzip.compress(b""), "is empty", id="gzip-of-nothing"),
        pytest.param(AZURE, "has a header but no rows", id="header"),
        pytest.param(AZURE + "\r\n\r\n", "has a header but no rows", id="header-and-blank-lines"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text", id="PNG"),
        pytest.param(AZURE.encode("utf-16-le"), "is UTF-16 text without the mark", id="UTF-16"),
        pytest.param(b"PK\x03\x04rest", "is a zip archive", id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfdrest", "is damaged zstd", id="zstd"),
        pytest.param(
            gzip.compress((AZURE + ROW * 9).encode())[:-9], "is damaged gzip", id="cut-gzip"
        ),
        pytest.param(b"PAR1 and then nothing", "is damaged Parquet", id="no-Parquet"),
        pytest.param("[1, 2]", "none of the values looked at is a JSON object", id="no-objects"),
        pytest.param('[{"ts": 1}, {"ts"', "is damaged JSON", id="cut-JSON"),
        pytest.param(
            AZURE + "x,1,2\r\n" * 3,
            "not one of its 3 rows can be used (unparseable time: 3)",
            id="no-row",
        ),
        pytest.param(
            BLOCKS * 3,
            "block ids do not fit 512 tokens per block: 3 of 3 rows disagree",
            id="wrong-block-size",
        ),
    ],
)
def test_bad_content_is_a_data_error(tmp_path: Path, content: bytes | str, words: str) -> None:
    error = refusal(tmp_path, content)
    assert isinstance(error, DataError)
    assert error.exit_code == 3
    assert words in str(error)


def test_a_wrong_block_size_names_the_likely_one(tmp_path: Path) -> None:
    assert "--block-size 256" in str(refusal(tmp_path, BLOCKS))
    assert wl.ingest(tmp_path / "log", block_size=256).supports("prefix")


def test_all_bad_rows_name_the_first(tmp_path: Path) -> None:
    error = refusal(tmp_path, PLAIN.replace("5", "five").replace("7", "seven"), mapping=MAPPED)
    assert "the first: row 1, unparseable time: <text of 6 characters>" in str(error)


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ('{\n "a": 1\n}\n', {}, ["nothing looks like arrival or input_tokens", "keys seen: a"]),
        ("a,b\n1,2\n", {}, ["arrival or input_tokens", "keys seen: a, b", "--map"]),
        (
            "timestamp,input_length\n1,x\n".replace("input_length", "size"),
            {},
            ["nothing looks like input_tokens"],
        ),
        (
            "launch_time,finish_time,ttft,x\n1,2,0.5,3\n",
            {},
            [
                "nearest format: lmbench (this file lacks generation_time, generation_tokens, prompt_tok"
            ],
        ),
        (
            PLAIN,
            {"mapping": {"arrival": "tz", "input_tokens": "p"}},
            ["no column 'tz'", "ts, p, o"],
        ),
        (PLAIN, {"mapping": {"arrival": "tss", "input_tokens": "p"}}, ["did you mean ts?"]),
        (PLAIN, {"mapping": {"arival": "ts"}}, ["arival is no column", "did you mean arrival"]),
        (PLAIN, {"mapping": {"zzz": "ts"}}, ["zzz is no column", "input_tokens"]),
        (PLAIN, {"mapping": {"flags": "ts"}}, ["flags is no column"]),
        (PLAIN, {"mapping": {"ttft": "ts", "ttft_ns": "p"}}, ["names ttft twice"]),
        (
            PLAIN,
            {"mapping": MAPPED, "units": {"arrival": "weeks"}},
            ["unknown unit", "s, ms, us, ns, min or h"],
        ),
        (PLAIN, {"mapping": MAPPED, "units": {"ttft": "ms"}}, ["no time of that name", "arrival"]),
        (PLAIN, {"mapping": MAPPED, "units": {"input_tokens": "ms"}}, ["no time of that name"]),
        (PLAIN, {"format": "azure"}, ["lacks the column 'TIMESTAMP'", "--map arrival=COLUMN"]),
        (PLAIN, {"format": "azur"}, ["unknown log format 'azur'", "did you mean azure"]),
        (
            AZURE + ROW,
            {"format": "mooncake"},
            ["lacks the column 'input_length' that mooncake needs"],
        ),
        (AZURE + ROW, {"block_size": 16}, ["no block ids are read"]),
        (BLOCKS, {"block_size": 0}, ["not a block size"]),
        (
            "ts,p,ids\n1,5,[1]\n",
            {"mapping": MAPPED | {"block_ids": "ids"}},
            ["need the number of tokens per block", "--block-size"],
        ),
        ("ts,p,p\n1,5,6\n", {"mapping": MAPPED}, ["2 columns named 'p'"]),
        (
            "ts,p,e2e\n2026-01-01T00:00:00Z,5,1790000002\n",
            {"mapping": MAPPED | {"e2e": "e2e"}},
            ["e2e is no duration", "another clock", "--map e2e="],
        ),
    ],
)
def test_a_request_that_does_not_fit_is_a_usage_error(
    tmp_path: Path, content: str, options: dict[str, Any], words: list[str]
) -> None:
    error = refusal(tmp_path, content, **options)
    assert isinstance(error, UsageError)
    assert error.exit_code == 2
    for word in words:
        assert word in str(error)


def test_sources_are_files_named_once(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(AZURE + ROW)
    (tmp_path / "sub").mkdir()
    for sources, words in (
        (tmp_path / "sub", "is a folder without files"),
        (tmp_path / "nope.csv", "no such file"),
        (str(tmp_path / "*.txt"), "no file matches"),
        ([], "no source file"),
        ([log, tmp_path / "." / "log.csv"], "is named twice"),
        ("", "a source has no name"),
        ([log, " "], "a source has no name"),
    ):
        with pytest.raises(UsageError, match=words):
            wl.ingest(sources, tmp_path / "out.trace")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log.csv", "sub"]


def test_the_output_is_a_new_file_in_a_folder(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes((AZURE + ROW).encode())
    for out, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "out.trace", "does not exist"),
        (log, "is a source and would be overwritten"),
    ):
        with pytest.raises(UsageError, match=words):
            wl.ingest(log, out)
    assert log.read_bytes() == (AZURE + ROW).encode()


def test_files_of_one_trace_have_one_kind_of_clock(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arrival,prompt_tokens\n1,5\n")
    (tmp_path / "b.csv").write_text("arrival_ms,prompt_tokens\n1,5\n")
    with pytest.raises(UsageError, match="does not count its arrivals as"):
        wl.ingest(str(tmp_path / "*.csv"))


def test_a_trace_is_not_ingested_again(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(AZURE + ROW)
    wl.ingest(tmp_path / "log.csv", tmp_path / "out.trace")
    with pytest.raises(UsageError, match="is a trace already"):
        wl.ingest(tmp_path / "out.trace")


def test_block_ids_in_parquet_are_lists_of_integers(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"ts": [1.0], "input_tokens": [5], "hash_ids": [["a"]]}).write_parquet(path)
    with pytest.raises(DataError, match="not lists of integers"):
        wl.ingest(path, block_size=16)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            AZURE + ROW + "2023-11-16 18:15:47,3.5,4\r\n",
            "row 2 (line 3), column ContextTokens: not an integer: '3.5'",
        ),
        (AZURE + ROW + "\r\n" + ROW[:20], "row 2 (line 4): wrong number of fields"),
        (BLOCKS.replace("1000", "2000") * 2 + BLOCKS[:40], "row 3 (line 3): invalid JSON"),
        (
            BLOCKS.replace("1000", "2000") + '{"timestamp": 0, "output_length": 5}\n',
            "row 2 (line 2), column input_length: missing value",
        ),
    ],
)
def test_strict_refuses_the_first_bad_row(tmp_path: Path, content: str, message: str) -> None:
    error = refusal(tmp_path, content, strict=True)
    assert isinstance(error, DataError)
    assert str(error).split("\n")[0] == f"{tmp_path / 'log'}: {message}"
