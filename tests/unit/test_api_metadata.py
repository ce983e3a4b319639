"""What the API tells of entries: which of the metadata are numbers, and which metrics are on."""

from __future__ import annotations

from typing import cast

import pytest

from activity_aggregates.api.answering.known import described_metrics, numbers_of_metadata
from activity_aggregates.api.answering.metadata import Metadata
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read
from activity_aggregates.configuration import flag_values, load
from metrics.declarations import FAMILIES, METRICS
from metrics.names import course_words


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ("{}", {"leafNodesCount"}),
        ("{leafNodesCount: null, leaves: leafNodesCount}", {"leaves"}),
        ("{leafNodesCount: depth}", set()),
        ("null", set()),
    ],
)
def test_an_entry_is_a_number_where_its_attribute_is_counted(fields: str, numbers: set[str]) -> None:
    assert numbers_of_metadata(load(None, {}, flag_values([f"metadata.fields={fields}"])).settings) == numbers


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("TextBook", "Course"),
        ("course", "Course"),
        ("Course", "Course"),
        ("Quiz", "Quiz"),
        ("Collection", "Collection"),
    ],
)
def test_what_a_group_lists_for_a_course_is_called_as_the_course_is(listed: str, asked: str) -> None:
    class Asked:
        def start(self, _: Read, *key: object) -> tuple[object, ...]:
            return key

    metadata = Metadata(0, courses=course_words(["TextBook"]))
    assert metadata.start(cast(Reads, Asked()), (listed, "c1")) == (asked, "c1")


def told(*assignments: str) -> list[tuple[str, str]]:
    metrics = described_metrics(load(None, {}, flag_values(assignments)).settings)
    return [(metric["family"], metric["name"]) for metric in metrics]


def test_every_metric_is_told_where_time_has_its_source() -> None:
    every = told("sources.timespent={format: parquet, path: /exports/timespent}")
    assert every == [(metric.family, metric.name) for metric in METRICS]
    assert {family for family, _ in every} == set(FAMILIES)


def test_of_time_nothing_is_told_without_its_source() -> None:
    assert {family for family, _ in told()} == set(FAMILIES) - {"time"}


def test_what_groups_add_up_is_told_where_both_families_are_on() -> None:
    def tables(*families: str) -> list[str]:
        given = load(None, {}, {"metrics.families": ["completion", *families]}).settings
        return [
            table for each in described_metrics(given) if each["name"] == "certifiedCount" for table in each["tables"]
        ]

    assert tables("certificates") == ["activity_agg"]
    assert tables("certificates", "groups") == ["activity_agg", "group_activity_agg"]
    assert tables("groups") == []
