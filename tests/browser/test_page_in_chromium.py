"""The page in a real browser: wide and narrow, light and dark, with hostile names, and axe-core.

Debian's Chromium, driven by Playwright; `.ci/run` installs it. Screenshots go to the folder that
WORKLOADLAB_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.pages import EVIL, make_parts

from workloadlab.reporting import report

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("no chromium: apt-get install chromium", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

NAMES = {"plain": "chat.csv", "evil": EVIL}
LONG = ("round_robin", "vllm_router_cache_aware")
"""Router names that the first table holds on a telephone, beside a scroll bar."""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        launched = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox"],
            ignore_default_args=["--hide-scrollbars"],
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return {
        word: report(folder / f"{word}.html", *make_parts(name, routers=(name, "two")))
        for word, name in NAMES.items()
    } | {"long": report(folder / "long.html", *make_parts(routers=LONG))}


@pytest.fixture
def shown(browser, pages, request):
    """Open a page and collect whatever it says on the console and asks of a network."""
    word, width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    noises, requests, dialogs = [], [], []
    page.on("console", lambda message: noises.append(message.text))
    page.on("pageerror", lambda error: noises.append(str(error)))
    page.on("request", lambda asked: requests.append(asked.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(pages[word].as_uri())
    yield page, noises, requests, dialogs
    folder = os.environ.get("WORKLOADLAB_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{word}_{width}_{scheme}.png"), full_page=True)
    context.close()


SETTINGS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def everywhere(*names):
    cases = [(name, *setting) for name in names for setting in SETTINGS]
    return pytest.mark.parametrize(
        "shown", cases, indirect=True, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}"
    )


@everywhere("plain", "long")
def test_the_table_of_the_first_screen_needs_no_scrolling(shown):
    page, *_ = shown
    boxes = page.locator("header .scroll")
    assert boxes.count() == 1
    assert boxes.first.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


@everywhere(*NAMES)
def test_a_page_is_quiet_fits_and_shows_names_as_text(shown):
    page, noises, requests, dialogs = shown
    assert (noises, dialogs) == ([], [])
    assert len(requests) == 1, "the page itself"
    width = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert width <= 0, f"{width} pixels beyond the right edge"
    assert page.evaluate("document.querySelectorAll('svg.plot').length") > 5
    answer = page.locator(".answers dd").first.bounding_box()
    assert answer["y"] + answer["height"] < 900, "an answer is on the first screen"


@everywhere("evil")
def test_axe_finds_nothing(shown):
    page, *_ = shown
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


@pytest.mark.parametrize("shown", [("plain", 1280, "light")], indirect=True, ids=["plain"])
def test_a_click_sorts_a_table(shown):
    page, *_ = shown
    table = page.locator("table", has=page.locator("caption", has_text="Routers at")).first
    button = table.locator("thead tr:last-child button").nth(1)
    texts = []
    for _ in range(2):
        button.click()
        texts.append(table.locator("tbody tr > :nth-child(2)").all_inner_texts())
    assert texts[0] == texts[1][::-1]
