"""The target tables: all that is to be known of each. A new target is a declaration here and a migration."""

from __future__ import annotations

from dataclasses import dataclass

TEXTS = "texts"  # the column of staged rows that has them


@dataclass(frozen=True)
class TargetTable:
    """A table by its own name; the deployed name comes from the settings.

    Its rows hold maps of metrics (doubles, each with a date), or texts, in `column`: a map, or, where it `is_plain`,
    the one text that the row is about. `has_entries` says that its maps have entries with ids in their names too. Of
    rows that come and go by themselves no share `is_limited`.
    """

    name: str
    partition_key: tuple[str, ...]
    clustering_key: tuple[str, ...] = ()
    column: str = ""
    is_plain: bool = False
    has_entries: bool = False
    is_limited: bool = True

    @property
    def holds_texts(self) -> bool:
        """Whether its rows hold texts and no metrics."""
        return bool(self.column)

    @property
    def key(self) -> tuple[str, ...]:
        """All columns of the primary key, partition key first; see `key_type`."""
        return self.partition_key + self.clustering_key

    @property
    def is_of_learners(self) -> bool:
        """Whether a row is one learner's."""
        return "user_id" in self.key

    @property
    def is_of_groups(self) -> bool:
        return "group_id" in self.key


ACTIVITY_USER_AGG = TargetTable(
    "activity_user_agg", ("activity_type", "activity_id", "user_id"), ("context_id",), has_entries=True
)
ACTIVITY_AGG = TargetTable("activity_agg", ("activity_type", "activity_id", "context_id"))
GROUP_ACTIVITY_AGG = TargetTable("group_activity_agg", ("group_id",), ("activity_type", "activity_id"))
GROUP_ACTIVITY_USER_AGG = TargetTable(
    "group_activity_user_agg", ("group_id", "activity_type", "activity_id"), ("user_id",), has_entries=True
)
ACTIVITY_DAY_AGG = TargetTable(
    "activity_day_agg", ("activity_type", "activity_id", "context_id"), ("day",), is_limited=False
)
AGGREGATE_TABLES = (ACTIVITY_USER_AGG, ACTIVITY_AGG, ACTIVITY_DAY_AGG, GROUP_ACTIVITY_AGG, GROUP_ACTIVITY_USER_AGG)

# What an activity is called.
ACTIVITY_METADATA = TargetTable("activity_metadata", ("activity_type", "activity_id"), column="metadata")
# Which course an activity belongs to in a context.
ACTIVITY_CATALOG = TargetTable(
    "activity_catalog", ("context_id",), ("activity_type", "activity_id"), "course_id", is_plain=True
)

TARGET_TABLES = (*AGGREGATE_TABLES, ACTIVITY_METADATA, ACTIVITY_CATALOG)
# Every column of any key, in one order.
KEY_COLUMNS = tuple(dict.fromkeys(column for table in TARGET_TABLES for column in table.key))


def key_type(column: str) -> str:
    """The type of a key column, in Spark as in CQL's tables: a day is a date, everything else a text."""
    return "date" if column == "day" else "string"
