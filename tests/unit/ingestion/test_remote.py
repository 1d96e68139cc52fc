"""Logs that lie elsewhere, tried against a server on this machine."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import polars as pl
import pytest
from support.logs import LOGS
from support.web import served

import workloadlab as wl
from workloadlab.errors import DataError, UsageError
from workloadlab.ingestion.catalog import get, read_catalog
from workloadlab.ingestion.heads import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AZURE = LOGS["azure"].text.encode()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "web"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "a.csv").write_bytes(AZURE)
    (folder / "logs" / "a.csv.gz").write_bytes(gzip.compress(AZURE))
    (folder / "secret.csv").write_bytes(AZURE)
    pl.read_csv(AZURE).write_parquet(folder / "logs" / "a.parquet")
    with served(folder) as address:
        yield address


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
@pytest.mark.parametrize("scheme", ["https", "s3"])
def test_a_remote_log_is_read_like_a_near_one(web: str, scheme: str, name: str) -> None:
    store = {"aws_endpoint_url": web, "aws_access_key_id": "x", "aws_secret_access_key": "y",
             "aws_region": "us-east-1", "aws_allow_http": "true"}  # fmt: skip
    url, options = (f"{web}/logs/{name}", {}) if scheme == "https" else (f"s3://logs/{name}", store)
    trace = wl.ingest(url, storage_options=options)
    wanted = {"arrival_ns": [0, 9_930_000], "input_tokens": [100, 7]}
    assert trace.read(*wanted).to_dict(as_series=False) == wanted
    assert trace.provenance.sources[0]["path"] == name


def test_headers_are_sent_and_what_is_not_there_is_said(web: str) -> None:
    assert wl.ingest(f"{web}/secret.csv", storage_options={"X-Key": "1"}).requests == 2
    with pytest.raises(UsageError, match=r"secret.csv: cannot be fetched \(404"):
        wl.ingest(f"{web}/secret.csv")
    with pytest.raises(UsageError, match="is a pattern"):
        wl.ingest("s3://logs/*.csv")
    with pytest.raises(UsageError, match="cannot be fetched"):
        wl.ingest("http://127.0.0.1:1/a.csv")


def catalogue(folder: Path, url: str, digest: str) -> Path:
    path = folder / "catalog.toml"
    path.write_text(
        f'[mine]\nabout = "two requests"\nurl = "{url}"\nbytes = {len(AZURE)}\nsha256 = "{digest}"\n'
        'licence = "CC0-1.0"\nformat = "azure"\n'
    )
    return path


def test_a_published_trace_is_got_by_name(web: str, tmp_path: Path) -> None:
    digest = sha256(tmp_path / "web" / "logs" / "a.csv")
    known = read_catalog(catalogue(tmp_path, f"{web}/logs/a.csv", digest))
    trace = get(known["mine"], tmp_path / "mine.trace")
    assert (trace.requests, trace.provenance.sources[0]["sha256"]) == (2, digest)


def test_another_file_than_was_published_is_refused(web: str, tmp_path: Path) -> None:
    known = read_catalog(catalogue(tmp_path, f"{web}/logs/a.csv", "0" * 64))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match="is not the file that was published"):
        get(known["mine"], tmp_path / "mine.trace")
    assert sorted(tmp_path.iterdir()) == before


def test_a_catalogue_that_lacks_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text('[mine]\nurl = "x"\n')
    with pytest.raises(DataError, match=r"\[mine\] lacks or has too many: about, bytes"):
        read_catalog(path)


def test_the_catalogue_that_ships_names_known_formats() -> None:
    from workloadlab.ingestion.formats import FORMATS

    known = read_catalog()
    assert {each.format for each in known.values()} <= {each.name for each in FORMATS}
    assert all(len(each.sha256) == 64 and each.bytes for each in known.values())
