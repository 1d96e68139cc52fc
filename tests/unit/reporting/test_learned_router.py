"""A learned router on the page: its verdict first, its card as a table and a figure."""

from __future__ import annotations

import pytest

from workloadlab.errors import UsageError
from workloadlab.reporting import report, summarise
from workloadlab.reporting.learned_router.changes import Change, Changes
from workloadlab.routing.learned.artefact import LearnedRouter

SHOWN = dict.fromkeys(("ttft_mean_s", "ttft_p99_s", "e2e_mean_s", "e2e_p99_s"), 2.0)
CHANGES = {0.7: (-0.5, -0.6, -0.4), 0.9: (0.01, -0.03, 0.05), 1.1: (0.2, 0.1, 0.3)}


def router(name="mine", **more):
    card = []
    for load, change in CHANGES.items():
        there = {"instances": 4, "load": load, "signal_age_s": 0.0}
        card.append({**there, "router": name, "as": "learned", **SHOWN, "ttft_p99_s": 1.0})
        card.append({**there, "router": "lmetric", "as": "selected", **SHOWN, "change": change})
    facts = {"method": "es", "loads": [0.9], "requests": 1000, "verdict": "2% better than lmetric"}
    made = {"name": name, "body": {"wait": 1.0, "prefill": 1.0}, "card": card, "provenance": facts}
    return LearnedRouter(**made | more)


def test_the_verdict_comes_first_and_the_card_is_a_table():
    facts = summarise(router())
    [answer], [section] = facts["answers"], facts["sections"]
    assert answer["sentence"] == (
        "Better than the selected lmetric in 1 of 3 test cells, by mean end-to-end latency."
    )
    assert answer["more"].startswith(
        "Lower than with the selected lmetric in 1 of 3 test cells, higher in 1; in 1 the interval"
    )
    [grid] = section["grids"]
    assert [cell["text"] for cell in grid["rows"][0]] == [
        "4 instances, load 0.7", "the selected lmetric", "-50.0", "-60.0 to -40.0", "+0.0", "-50.0",
        "+0.0",
    ]  # fmt: skip
    assert section["facts"][0] == ("Verdict of training", "2% better than lmetric.")
    assert ["Decides by", router().explain()] in [list(pair) for pair in section["facts"]]


def test_a_router_that_no_test_cell_confirms_does_not_beat_in_bold():
    card = router().card
    card = [row | {"change": (-0.01, -0.03, 0.02)} if "change" in row else row for row in card]
    [answer] = summarise(router(card=card))["answers"]
    assert answer["sentence"] == (
        "Not shown to be better than the selected lmetric: lower mean end-to-end latency in none of 3 "
        "test cells."
    )


def test_a_router_that_every_test_cell_confirms_keeps_its_verdict():
    card = router().card
    card = [row | {"change": (-0.1, -0.2, -0.05)} if "change" in row else row for row in card]
    [answer] = summarise(router(card=card))["answers"]
    assert answer["sentence"] == "2% better than lmetric."


def test_cells_that_the_test_block_does_not_confirm_are_a_warning():
    [finding] = summarise(router())["findings"]
    assert finding["severity"] == "warning"
    assert "does not confirm it in 2 of 3 cells" in finding["message"]


def test_a_router_without_a_card_is_a_warning():
    facts = summarise(router(card=[]))
    assert "no card" in facts["findings"][0]["message"]
    assert facts["sections"][0]["grids"] == facts["sections"][0]["plots"] == ()


def test_several_routers_stand_on_one_page(tmp_path):
    text = report(tmp_path / "page.html", router("one"), router("two")).read_text()
    assert "Learned router: one" in text
    assert "Learned router: two" in text


def test_a_dot_is_filled_where_the_interval_excludes_0():
    figure = Changes("b", tuple(Change(str(k), *c) for k, c in CHANGES.items())).draw()
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "none" for dot in dots] == [False, True, False]


def test_what_is_no_part_is_refused():
    with pytest.raises(UsageError, match="LearnedRouter objects"):
        summarise(router().router())


def test_a_refused_router_is_the_heuristic_beside_the_others():
    card = []
    for load, change in CHANGES.items():
        there = {"instances": 4, "load": load, "signal_age_s": 0.0, **SHOWN}
        card.append({**there, "router": "lmetric", "as": "selected"})
        card.append({**there, "router": "round_robin", "as": "round_robin", "change": change})
    refused = {"form": "heuristic", "body": {"router": "lmetric"}}
    facts = {"verdict": "refused: nothing is better; use lmetric"}
    page = summarise(router(card=card, provenance=facts, **refused))
    [answer], [section] = page["answers"], page["sections"]
    assert answer["sentence"] == "Refused: nothing is better; use lmetric."
    assert answer["more"].startswith(
        "With lmetric lower than with round_robin in 1 of 3 test cells, higher in 1"
    )
    assert section["grids"][0]["caption"] == "Change on the test block with lmetric, in %"
    assert [row[1]["text"] for row in section["grids"][0]["rows"]] == ["round_robin"] * 3
    [plot] = section["plots"]
    assert plot["title"] == "Mean end-to-end latency of lmetric against round_robin"
