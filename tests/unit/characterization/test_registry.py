"""A topic is written once: what the list says is what profiles, reports, help and SQL show."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args, get_type_hints

import polars as pl
import pytest
from click.testing import CliRunner

import workloadlab.characterization.topics
import workloadlab.reporting.workload
from workloadlab import LatencyModel, Trace, characterize
from workloadlab.characterization import TOPICS, Profile, Study, Topic, Unsupported
from workloadlab.cli.characterize import command
from workloadlab.reporting.workload.section import figures_of
from workloadlab.sql import queries
from workloadlab.trace import COLUMNS

SECOND = 1_000_000_000
NAMES = [topic.name for topic in TOPICS]
WITHOUT_A_TOPIC = {"place", "heat", "section"}
"""Modules beside the figures that are named for no topic."""

every_topic = pytest.mark.parametrize("topic", TOPICS, ids=NAMES)


def rich_trace() -> Trace:
    """Return two hundred requests that record all that any topic needs."""
    n = 200
    return Trace.from_frame(
        pl.DataFrame(
            {
                "arrival_ns": [i * i * SECOND // 100 for i in range(n)],
                "input_tokens": [32 + i * 37 % 500 for i in range(n)],
                "output_tokens": [1 + i * 11 % 90 for i in range(n)],
                "session_id": [f"s{i % 40}" for i in range(n)],
                "tenant_id": [f"t{i % 7}" for i in range(n)],
                "model": [f"m{i % 2}" for i in range(n)],
                "block_ids": [[i % 40, 1000 + i] for i in range(n)],
                "block_size": [16] * n,
                "ttft_ns": [SECOND // 2] * n,
                "e2e_ns": [SECOND] * n,
            }
        )
    )


@pytest.fixture(scope="module")
def model() -> LatencyModel:
    return LatencyModel.linear(constant_s=0.01, prefill_token_s=1e-5, decode_seq_s=1e-4)


@pytest.fixture(scope="module")
def profile(model: LatencyModel) -> Profile:
    return characterize(rich_trace(), model)


def test_a_profile_has_every_topic_in_order_and_nothing_else(profile: Profile) -> None:
    assert [field.name for field in fields(Profile)] == ["trace", *NAMES]
    assert list(profile.to_dict()) == ["schema_version", "trace", *NAMES]
    assert len(set(NAMES)) == len(NAMES)


@every_topic
def test_a_topic_says_who_it_is(topic: Topic[Any]) -> None:
    hint = get_type_hints(Profile)[topic.name]
    assert set(get_args(hint) or [hint]) <= {topic.facts, Unsupported}
    assert topic.facts in (get_args(hint) or [hint])
    module = import_module(f"workloadlab.characterization.topics.{topic.name}")
    assert getattr(module, topic.name.upper()) is topic
    assert topic.facts.__module__ == module.__name__
    assert topic.about == topic.about.strip(". ")
    assert topic.needs == tuple(name for name in topic.needs if name in COLUMNS)


def test_every_file_of_topics_is_a_topic() -> None:
    found = {module.name for module in iter_modules(workloadlab.characterization.topics.__path__)}
    assert found == set(NAMES)


@every_topic
def test_a_topic_needs_one_of_the_columns_it_names(
    topic: Topic[Any], profile: Profile, model: LatencyModel
) -> None:
    assert isinstance(getattr(profile, topic.name), topic.facts)
    if topic.needs:
        without = Trace.from_frame(rich_trace().frame.collect().drop(topic.needs, strict=False))
        assert isinstance(Study(without, model).find(topic), Unsupported)


def test_a_study_measures_a_topic_once() -> None:
    asked = []

    def measure(study: Study) -> Unsupported:
        asked.append(study)
        return Unsupported("no reason")

    topic: Topic[Any] = Topic("once", "how often", (), Unsupported, measure)
    study = Study(rich_trace())
    assert study.find(topic) is study.find(topic)
    assert asked == [study]


def test_every_query_belongs_to_a_topic_or_to_routers() -> None:
    assert {query.topic for query in queries()} <= {*NAMES, "routers"}


def test_every_file_of_figures_belongs_to_a_topic() -> None:
    found = {module.name for module in iter_modules(workloadlab.reporting.workload.__path__)}
    assert found - WITHOUT_A_TOPIC <= set(NAMES)
    assert WITHOUT_A_TOPIC.isdisjoint(NAMES)
    assert all(figures_of(topic) for topic in TOPICS if topic.name in found)


def test_help_lists_every_topic_and_query() -> None:
    said = CliRunner().invoke(command, ["--help"], terminal_width=400).output
    for topic in TOPICS:
        assert f"  {topic.name} " in said
        assert topic.about in said
    for query in queries():
        assert query.name in said or query.topic == "routers"
