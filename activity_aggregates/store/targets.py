"""The target tables: what identifies a row of each, and which of them hold maps of metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TargetTable:
    """A table of maps by its own name; the deployed name comes from the settings.

    The aggregate tables have `agg` and `agg_last_updated`, activity_metadata has `metadata`.
    """

    name: str
    partition_key: tuple[str, ...]
    clustering_key: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """All columns of the primary key, partition key first; every one is text."""
        return self.partition_key + self.clustering_key


ACTIVITY_USER_AGG = TargetTable("activity_user_agg", ("activity_type", "activity_id", "user_id"), ("context_id",))
ACTIVITY_AGG = TargetTable("activity_agg", ("activity_type", "activity_id", "context_id"))
GROUP_ACTIVITY_AGG = TargetTable("group_activity_agg", ("group_id",), ("activity_type", "activity_id"))
GROUP_ACTIVITY_USER_AGG = TargetTable(
    "group_activity_user_agg", ("group_id", "activity_type", "activity_id"), ("user_id",)
)

AGGREGATE_TABLES = (ACTIVITY_USER_AGG, ACTIVITY_AGG, GROUP_ACTIVITY_AGG, GROUP_ACTIVITY_USER_AGG)

ACTIVITY_METADATA = TargetTable("activity_metadata", ("activity_type", "activity_id"))

# Which course an activity belongs to in a context: the one table that has no maps.
ACTIVITY_CATALOG = TargetTable("activity_catalog", ("context_id",), ("activity_type", "activity_id"))
