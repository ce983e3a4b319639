"""Whether the published sums are those of the published rows: asked of the tables alone, without any source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.compute.contexts import is_of_group
from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import (
    ACTIVITY_AGG,
    ACTIVITY_CATALOG,
    ACTIVITY_DAY_AGG,
    ACTIVITY_USER_AGG,
    GROUP_ACTIVITY_AGG,
    GROUP_ACTIVITY_USER_AGG,
    TargetTable,
)
from metrics.days import day_counts
from metrics.declarations import COMPLETION, COURSE_ROWS, OWN_ROWS, Metric, Selection, declared, names
from metrics.groups import meant_type
from metrics.names import WAS
from metrics.predicates import is_course
from metrics.values import SIGN, is_of, stands, sums


def differing_sums(stored: StoredRows, selection: Selection, choices: settings.Metrics) -> DataFrame:
    """(table, key, metric, published, summed) of every published sum that is not the sum over the published rows."""
    return _Published(stored, selection, choices).differing()


@dataclass(frozen=True)
class _Published:
    """The tables, the metrics of them that are on, and what sums of days and groups depend on."""

    stored: StoredRows
    selection: Selection
    choices: settings.Metrics

    def differing(self) -> DataFrame:
        learners, members = self._rows(ACTIVITY_USER_AGG), self._rows(GROUP_ACTIVITY_USER_AGG)
        of_activities = self._compared(ACTIVITY_AGG, self._of_activities(learners), [OWN_ROWS, COURSE_ROWS])
        as_meant = members.withColumnsRenamed({"activity_type": "listed"})
        meant = as_meant.withColumn("activity_type", self._meant("listed"))
        of_groups = sums(meant, self._metrics(GROUP_ACTIVITY_AGG), ("group_id", "listed", "activity_id"))
        found = of_activities.unionByName(
            self._compared(GROUP_ACTIVITY_AGG, of_groups.withColumnRenamed("listed", "activity_type"), [OWN_ROWS])
        )
        if not (days := self._metrics(ACTIVITY_DAY_AGG)):
            return found
        counts = day_counts(learners, days, self.choices.time_zone)
        return found.unionByName(self._compared(ACTIVITY_DAY_AGG, counts, [OWN_ROWS]))

    def _metrics(self, table: TargetTable) -> tuple[Metric, ...]:
        return declared(table.name, self.selection)

    def _meant(self, column: str) -> Column:
        """The type that a group means by the one that it lists; one that is not served is as it is."""
        return F.coalesce(meant_type(self.choices.course_types, column), column)

    def _rows(self, table: TargetTable) -> DataFrame:
        """The published rows of learners, a column for each metric."""
        own = [metric.name for metric in self._metrics(table)]
        values = [F.col(WAS + name).alias(name) for name in own]
        rows = self.stored.rows(table, names(table.name, self.selection))
        return rows.select(*table.key, *values, F.lit(1).alias(SIGN)).filter(stands(own))

    def _of_activities(self, learners: DataFrame) -> DataFrame:
        """The sums of every activity, and of those that have an owner the ones over the owner's Course rows."""
        metrics = self._metrics(ACTIVITY_AGG)
        own = sums(learners, metrics, ACTIVITY_AGG.key, OWN_ROWS)
        of_courses = sums(learners.filter(is_course()), metrics, ("activity_id", "context_id"), COURSE_ROWS)
        owned = self.stored.plain(ACTIVITY_CATALOG).join(
            of_courses.withColumnRenamed("activity_id", "course_id"), ["course_id", "context_id"], how="left"
        )
        return owned.join(own, list(ACTIVITY_AGG.key), how="full").drop("course_id")

    def _compared(self, table: TargetTable, summed: DataFrame, over: Sequence[str]) -> DataFrame:
        metrics = {m.name: m for m in self._metrics(table) if m.is_sum and m.over in over}
        own = names(table.name, self.selection)
        published = self.stored.rows(table, own).filter(stands([WAS + name for name in own]))
        both = summed.join(published, list(table.key), how="full")
        entries = F.array(*(self._entry(metric, table) for metric in metrics.values()))
        exploded = both.withColumn("is_published", stands([WAS + name for name in own])).select(
            F.concat_ws(" ", *table.key).alias("key"), F.explode(entries).alias("entry")
        )
        differing = exploded.filter("entry.is_of AND NOT (entry.published <=> entry.summed)")
        columns = ("key", "entry.metric", "entry.published", "entry.summed")
        return differing.select(F.lit(table.name).alias("table"), *columns)

    def _entry(self, metric: Metric, table: TargetTable) -> Column:
        """A metric as published and as summed; one that does not stand in a row, or whose row has none, is nothing."""
        kind = self._meant("activity_type") if table.is_of_groups else F.col("activity_type")
        of_name = [each for each in self._metrics(table) if each.name == metric.name and each.is_sum]
        holds = reduce(or_, (is_of(each, kind) for each in of_name))
        value = F.coalesce(metric.name, F.lit(0)).cast("double") / F.lit(float(metric.scale))
        is_expected = F.col("is_published") & F.lit(metric.day_of is None)  # a day of nobody has no entry
        if metric.rests_on:  # a column that may not be deployed: then no row has what is added up
            is_expected &= F.col(metric.name).isNotNull() | F.col(WAS + metric.name).isNotNull()
        summed = F.when(is_expected | (value != 0), value)
        if "context_id" in table.key and metric.over == COURSE_ROWS:
            holds = holds & ~is_of_group()
        if table == ACTIVITY_AGG and metric.family != COMPLETION and not metric.rests_on:
            # A retired course's rows are as they were written last, which may be before a family was switched on.
            of_family = [each.name for each in self._metrics(table) if each.family == metric.family]
            holds = holds & (~F.col("is_published") | stands([WAS + name for name in of_family]))
        return F.struct(
            F.lit(metric.name).alias("metric"), F.col(WAS + metric.name).alias("published"), summed.alias("summed"),
            holds.alias("is_of"),
        )  # fmt: skip
