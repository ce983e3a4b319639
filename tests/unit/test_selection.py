"""Which metrics the settings switch on, and which choices of them are refused."""

from __future__ import annotations

from typing import Any

import pytest

from activity_aggregates.configuration import load
from activity_aggregates.errors import BadRequest
from activity_aggregates.selection import selected
from metrics.declarations import FAMILIES, Metric, Selection, all_names, declared, names

SPENT = {"format": "parquet", "path": "/exports/timespent"}


def selection(**flags: Any) -> Selection:
    return selected(load(None, {}, {name.replace("__", "."): value for name, value in flags.items()}).settings)


def refused(key: str, value: object) -> str:
    with pytest.raises(BadRequest) as caught:
        load(None, {}, {key: value})
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_every_family_is_on_but_time_which_needs_its_source() -> None:
    assert selection().families == ("completion", "dates", "certificates", "scores", "groups")
    assert selection(sources__timespent=SPENT).families == FAMILIES


def test_time_without_its_source_leaves_its_names_to_others() -> None:
    metrics = {"timespent", "timespentCount", "averageTimespent"}
    assert metrics.isdisjoint(all_names(selection(metrics__families=["completion", "time", "groups"])))
    assert metrics <= set(all_names(selection(sources__timespent=SPENT)))


def test_what_a_group_adds_up_needs_the_family_of_groups_and_its_own() -> None:
    certified = Metric("certifiedCount", "certificates", "learners", "", ("group_activity_agg",), also="groups")
    assert Selection(("completion", "certificates", "groups")).has(certified)
    assert not Selection(("completion", "certificates")).has(certified)
    assert not Selection(("completion", "groups")).has(certified)


def test_a_group_shows_certificates_where_both_families_are_on() -> None:
    table = "group_activity_agg"
    assert "certifiedCount" in names(table, Selection(("completion", "certificates", "groups")))
    assert "certifiedCount" not in names(table, Selection(("completion", "certificates")))
    assert "certifiedCount" in names("activity_agg", Selection(("completion", "certificates")))


def test_what_is_taken_along_is_the_jobs_own_in_rows_of_members_alone() -> None:
    chosen = selection(metrics__carry=["pageViews"], metrics__families=["completion"])
    assert names("group_activity_user_agg", chosen)[-1] == "pageViews"
    for table in ("activity_user_agg", "activity_agg", "group_activity_agg", "activity_day_agg"):
        assert "pageViews" not in names(table, chosen)
    assert "pageViews" not in {metric.name for metric in declared("group_activity_user_agg", chosen)}


def test_completion_cannot_be_left_out() -> None:
    assert refused("metrics.families", ["dates", "scores"]) == (
        "metrics.families (--set metrics.families) leaves out completion, which is always computed: add it"
    )


def test_no_family_at_all_and_one_that_there_is_not_are_refused() -> None:
    assert refused("metrics.families", []).startswith("metrics.families (--set metrics.families) must have at least 1")
    assert "'completion', 'dates'" in refused("metrics.families", ["completion", "certificate"])


@pytest.mark.parametrize(
    "name", ["completed", "certifiedCount", "memberCount", "timespent", "score:do_1", "max_score:"]
)
def test_what_the_job_computes_is_not_to_be_taken_along(name: str) -> None:
    assert refused("metrics.carry", ["pageViews", name]) == (
        f"metrics.carry (--set metrics.carry) names {name}, which is a metric of the job's own: leave it out"
    )


@pytest.mark.parametrize("name", ["Completed", "MEMBERCOUNT"])
def test_a_name_of_the_jobs_own_in_other_letters_is_refused_too(name: str) -> None:
    """Columns of Spark's have their names in any case of letters."""
    assert "which is a metric of the job's own" in refused("metrics.carry", [name])


@pytest.mark.parametrize("twin", ["pageViews", "pageviews"])
def test_a_name_is_taken_along_once(twin: str) -> None:
    assert "names pageViews more than once" in refused("metrics.carry", ["pageViews", twin])


@pytest.mark.parametrize("name", ["kind", "user_id", "Entries", "was_completed", "carried_x"])
def test_a_column_that_rows_have_on_their_way_cannot_be_taken_along(name: str) -> None:
    assert f"names {name}, which is a column of the job's" in refused("metrics.carry", [name])


@pytest.mark.parametrize("name", ["page-views", "page.views", "views:do_1", "2nd", "page views"])
def test_what_cannot_be_a_column_cannot_be_taken_along(name: str) -> None:
    assert refused("metrics.carry", [name]).endswith(
        f"names {name}, which cannot be taken along: write letters, digits and _, a letter first"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Asia/Kolkatta", "Asia/Kolkata"), ("europe/berlin", "Europe/Berlin"), ("Kolkata", "Asia/Kolkata")],
)
def test_a_time_zone_that_there_is_not_is_told_the_nearest(name: str, nearest: str) -> None:
    message = refused("metrics.time_zone", name)
    assert message.startswith(f"metrics.time_zone (--set metrics.time_zone) names {name}, which is not a time zone; ")
    assert message.endswith(f"the nearest is {nearest}")


@pytest.mark.parametrize("name", ["localtime", "Factory"])
def test_a_file_among_the_time_zones_that_is_none_is_refused(name: str) -> None:
    """Spark would fail in the midst of a run, and `localtime` be another one on every machine."""
    assert "is not a time zone" in refused("metrics.time_zone", name)


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata", "EST", "Etc/GMT-5"])
def test_a_time_zone_that_there_is_can_be_chosen(name: str) -> None:
    assert load(None, {}, {"metrics.time_zone": name}).settings.metrics.time_zone == name
