"""What is declared of metrics holds together."""

from __future__ import annotations

import re

from activity_aggregates.sources.declarations import ENROLMENTS
from metrics.declarations import METRICS, Metric, Selection, all_names, declared, names
from metrics.names import ACTIVITY_TYPES


def test_a_name_is_declared_once_for_each_table_and_type() -> None:
    places = [(table, kind, each.name) for each in METRICS for table in each.tables for kind in each.types]
    assert len(places) == len(set(places))


def test_a_metric_is_a_value_or_a_sum_or_a_column_and_never_two_of_them() -> None:
    assert not [each.name for each in METRICS if each.value is not None and each.adds is not None]


def test_names_of_one_table_that_are_sums_add_in_one_unit_over_the_same_rows() -> None:
    """So that what was stored under a name can be taken away under it."""
    for table in {table for each in METRICS for table in each.tables}:
        kinds: dict[str, set[tuple[bool, int, str]]] = {}
        for each in declared(table):
            kinds.setdefault(each.name, set()).add((each.is_sum, each.scale, each.over))
        assert {name for name, several in kinds.items() if len(several) > 1} == set()


def test_only_sums_are_counted_in_parts() -> None:
    assert not [each.name for each in METRICS if each.scale != 1 and not each.is_sum]


def test_every_metric_says_in_a_sentence_what_it_means_and_stands_in_known_types() -> None:
    for each in METRICS:
        assert re.fullmatch(r"\S.*[^.\s]", each.meaning), each.name
        assert set(each.types) <= set(ACTIVITY_TYPES)
        assert each.tables
        assert each.unit


def test_completion_alone_leaves_out_what_further_families_add() -> None:
    assert "attemptsCount" in names("activity_agg")
    assert "attemptsCount" not in names("activity_agg", Selection(("completion",)))


def test_without_the_family_of_groups_a_group_has_nothing_of_the_other_families() -> None:
    without = Selection(("completion", "dates", "certificates", "scores", "time"))
    completion = ("memberCount", "enrolledCount", "completedCount", "completionPercentage")
    assert names("group_activity_agg", without) == completion
    assert "certifiedCount" in names("group_activity_agg")
    assert "certifiedCount" in names("activity_agg", without)


def test_what_is_taken_along_of_others_entries_is_in_the_rows_of_groups_members_alone() -> None:
    carrying = Selection(("completion",), carry=("pageViews",))
    assert names("group_activity_user_agg", carrying)[-1] == all_names(carrying)[-1] == "pageViews"
    assert "pageViews" not in names("activity_user_agg", carrying)


def test_what_a_metric_rests_on_is_an_optional_column_of_the_enrolments() -> None:
    assert {each.rests_on for each in METRICS if each.rests_on} == {"certificates"} == {*ENROLMENTS.optional}


def test_learners_are_counted_by_sums_alone() -> None:
    counts = Metric("n", "completion", "learners", "", (), adds="1")
    assert counts.counts_learners
    assert not Metric("n", "completion", "learners", "", ()).counts_learners
    assert not Metric("n", "completion", "leaves", "", (), adds="1").counts_learners
