"""The page: self-contained, escaped, the same bytes every time."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from support.pages import EVIL, make_parts

import workloadlab
from workloadlab import LatencyModel, Trace, characterize
from workloadlab.errors import UsageError
from workloadlab.reporting import report, summarise

SORT = (files("workloadlab.reporting") / "templates" / "sort.js").read_text()
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def parts():
    return make_parts()


@pytest.fixture(scope="module")
def text(parts, tmp_path_factory):
    return report(tmp_path_factory.mktemp("report") / "page.html", *parts).read_text("utf-8")


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    page = tmp_path_factory.mktemp("report") / "evil.html"
    return report(page, *make_parts(EVIL, (EVIL, f"{EVIL} two"))).read_text("utf-8")


def test_the_public_name_is_this_function():
    assert workloadlab.report is report


def test_every_element_is_closed_and_ids_are_unique(text):
    page = Page(text)
    assert page.open == []
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {
        value[1:] for _, name, value in page.attributes if name == "href" and value[0] == "#"
    }
    targets |= {value[1:] for _, name, value in page.attributes if name == "xlink:href"}
    assert targets <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


@pytest.mark.parametrize("page", ["text", "evil"])
def test_nothing_is_fetched_and_only_tables_sort(page, request):
    written = request.getfixturevalue(page)
    parsed = Page(written)
    assert parsed.tags.count("script") == 1
    assert f"<script>\n{SORT.rstrip()}</script>" in written
    assert not {"link", "iframe", "img", "object", "image", "embed"} & set(parsed.tags)
    for _, name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "action", "poster"):
            assert value.startswith(("#", "data:application/json;base64,", "data:text/csv;base64,"))
    assert "@import" not in written
    assert not re.search(r"url\((?!#)", written)


def test_names_from_logs_are_text(evil, tmp_path):
    assert evil.count("<script") == 1, "our own, which sorts tables"
    shown = "".join(Page(evil).words)
    name = EVIL.rpartition("/")[2]  # a path's last part is what is shown of it
    assert name in shown
    assert shown.count(EVIL) > 10, "router and model names stand in tables and legends as they are"


def test_drawings_are_well_formed_and_follow_the_page(evil, text):
    for page in (evil, text):
        drawings = re.findall(r'<svg class="plot".*?</svg>', page, flags=re.DOTALL)
        assert len(drawings) >= 12
        for drawing in drawings:
            svg = drawing.replace("<svg ", '<svg xmlns:xlink="x" ', 1)
            root = ET.fromstring(svg)
            assert len(root.get("aria-label")) > 20
            assert root.get("role") == "img"
            assert not re.search(
                r"#[0-9a-f]{6}", re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "", drawing)
            )
            assert "font-family" not in drawing
    drawn = re.findall(r'<svg class="plot".*?</svg>', evil, flags=re.DOTALL)
    texts = (
        node.text or ""
        for drawing in drawn
        for node in ET.fromstring(drawing.replace("<svg ", '<svg xmlns:xlink="x" ', 1)).iter()
    )
    assert any(EVIL in text for text in texts)


def test_the_same_parts_in_any_order_give_the_same_bytes(text, tmp_path):
    again = report(tmp_path / "again.html", *reversed(make_parts()))
    assert again.read_text("utf-8") == text


def test_the_users_matplotlib_settings_do_not_matter(parts, tmp_path):
    import matplotlib as mpl

    plain = report(tmp_path / "plain.html", parts[1]).read_text("utf-8")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert report(tmp_path / "again.html", parts[1]).read_text("utf-8") == plain
        assert mpl.rcParams["font.size"] == 30


def test_the_facts_can_be_saved_from_the_page(text, parts):
    link = re.search(r'href="data:application/json;base64,([^"]+)"', text)[1]
    saved = json.loads(base64.b64decode(link))
    assert saved == json.loads(json.dumps(summarise(*parts)))
    assert saved["sections"][0]["source"] == parts[0].to_dict()


def test_order_of_the_page(text):
    places = [text.index(mark) for mark in (
        "<h1>", 'class="answers reading"', 'id="findings"', 'id="workload-1"', 'id="routers-1"',
        'id="model-1"',
    )]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("number", "figures"),
    [(0, 6), (1, 4), (2, 3), (3, 6)],
    ids=["profile", "model", "board", "runs"],
)
def test_each_part_alone_makes_a_page(number, figures, parts, tmp_path):
    written = report(tmp_path / "one.html", parts[number]).read_text("utf-8")
    assert Page(written).open == []
    assert written.count("<figure") == figures == written.count('<svg class="plot"')


def test_several_of_a_kind_make_a_section_each(parts, tmp_path):
    written = report(tmp_path / "two.html", parts[1], parts[1]).read_text("utf-8")
    assert re.findall(r'<section id="([^"]+)"', written) == ["model-1", "model-2"]
    ids = [value for _, name, value in Page(written).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_a_topic_without_support_shows_its_reason(tmp_path):
    frame = pl.DataFrame({"arrival_ns": [0], "input_tokens": [5]})
    written = report(tmp_path / "one.html", characterize(Trace.from_frame(frame))).read_text(
        "utf-8"
    )
    assert "One request has no gap to another." in written
    assert "No request records output_tokens." in written


def test_a_page_is_small(text):
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "nothing to report"),
        ((42,), "no part of type int"),
        ((Trace.from_frame(pl.DataFrame({"arrival_ns": [0], "input_tokens": [5]})),), "type Trace"),
        ((SimpleNamespace(to_dict=dict),), "type SimpleNamespace"),
    ],
)
def test_parts_that_are_none_are_refused(given, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        report(tmp_path / "page.html", *given)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        report(tmp_path / "no" / "page.html", LatencyModel.linear())


def test_a_folder_is_no_page(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        report(tmp_path, LatencyModel.linear())


def test_a_refused_report_leaves_the_old_page(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    with pytest.raises(UsageError):
        report(page, LatencyModel.linear(), "not a part")
    assert page.read_text() == "old"
