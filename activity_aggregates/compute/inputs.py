"""What the steps of one run share: where they read, what they keep, count and say, and what was asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cassandra.metadata import protect_name
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from activity_aggregates import settings
from activity_aggregates.changes.staging import RunDirectory
from activity_aggregates.compute.listed import among
from activity_aggregates.compute.lookups import Lookups, looking_up
from activity_aggregates.errors import BadRequest
from activity_aggregates.protocol.asked import Asked
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.protocol.steps import Steps
from activity_aggregates.sources.declarations import fields
from activity_aggregates.sources.deployed import cql_place, deployed_name, is_in_targets_cluster
from activity_aggregates.sources.erased_rows import erased_rows, without_users
from activity_aggregates.sources.tables import ENROLMENTS, Sources, SourceTable
from activity_aggregates.spark.results import Results
from activity_aggregates.spark.session import EXTENSION
from activity_aggregates.store.connection import read
from activity_aggregates.store.records import VERIFY
from activity_aggregates.store.stored_rows import StoredRows
from activity_aggregates.store.targets import ACTIVITY_CATALOG, TargetTable
from metrics.declarations import Metric, declared, names

_BUCKETS = 1_000_000


@dataclass(frozen=True)
class Inputs:
    """See the module; `counts` fill up on the way."""

    execution: Execution
    spark: SparkSession
    sources: Sources
    stored: StoredRows
    results: Results
    lookups: Lookups
    asked: Asked

    @property
    def directory(self) -> RunDirectory:
        """Where the run stages what it finds."""
        return RunDirectory(self.execution.record.staging_dir)

    @property
    def counts(self) -> dict[str, int]:
        return self.execution.counts

    @property
    def steps(self) -> Steps:
        return self.execution.steps

    @property
    def only_compares(self) -> bool:
        """Whether what differs is shown and nothing is to be written: then only what was asked for is looked at."""
        return self.execution.record.command == VERIFY and self.execution.is_dry

    @property
    def limits(self) -> settings.Limits:
        """The limits of the run; nothing stops an erase."""
        limits = self.execution.settings.limits
        if not self.asked.erasing:
            return limits
        return replace(limits, refused_share=1.0, retracted_share=1.0, lowered_share=1.0)

    @property
    def choices(self) -> settings.Metrics:
        return self.execution.settings.metrics

    def metrics(self, table: TargetTable) -> tuple[Metric, ...]:
        """The declared metrics of a table that are on, and rest on nothing that is not deployed."""
        absent = self.sources.absent_columns.get(ENROLMENTS.name, ())
        on = declared(table.name, self.execution.selection)
        return tuple(metric for metric in on if metric.rests_on not in absent)

    def names(self, table: TargetTable) -> tuple[str, ...]:
        """The job's own names in a table, which are the columns of its rows."""
        return names(table.name, self.execution.selection)

    def catalog(self, contexts: frozenset[str] | None = None) -> DataFrame | None:
        """The catalog as last written, of some contexts or of all; None where it is empty."""
        if self.stored.is_empty(ACTIVITY_CATALOG):
            return None
        rows = self.stored.plain(ACTIVITY_CATALOG)
        return rows if contexts is None else among(rows, "context_id", contexts)

    def stored_rows(self, table: TargetTable) -> DataFrame | None:
        """All stored rows of a table; None where there is none, so that nothing is planned for it."""
        return None if self.stored.is_empty(table) else self.stored.rows(table, self.names(table))

    def no_rows(self, table: TargetTable) -> DataFrame:
        """The columns of `stored_rows` of an empty table, for who has to join with something."""
        return self.stored.rows(table, self.names(table))

    def in_tasks(self, rows: DataFrame) -> DataFrame:
        """Rows of a union, whose parts are tasks of their own; in one where they are few, as a task costs more."""
        return rows.coalesce(1) if self.stored.are_few else rows

    def has_rows(self, table: SourceTable) -> bool:
        """Whether a source is configured and is not known to be empty; of files nothing is known."""
        source: settings.Source | None = getattr(self.execution.settings.sources, table.name)
        if source is None or not self.sources.has(table):
            return False
        if not is_in_targets_cluster(source):
            return True
        key, *_ = fields(table)  # a text: of a date that is beyond the calendar the driver would make an error
        column = protect_name(deployed_name(table, source, key.name))
        return bool(read(self.execution.session, f"SELECT {column} FROM {cql_place(source)} LIMIT 1"))

    @property
    def can_look_up(self) -> bool:
        """Whether this Spark reads by key; without the connector's extension it would scan without a word."""
        return EXTENSION in str(self.spark.conf.get("spark.sql.extensions", "") or "")

    def tells_changes(self, table: SourceTable) -> bool:
        """Whether the source can say when its rows were changed, and this Spark can ask it."""
        if not self.can_look_up:
            return False
        try:
            self.sources.check_dated([table])
        except BadRequest:
            return False
        return True

    def matching(self, table: SourceTable, keys: DataFrame, key: Sequence[str]) -> DataFrame:
        """The rows of a source for these distinct keys: by key where that is cheaper, otherwise by a scan.

        The keys are computed at once where it depends on their number.
        """
        if self.can_look_up and self.lookups.may_be_cheaper(table.name):
            keys = self.results.keep(keys, f"{table.name}_keys")
        if not self.can_look_up or not self.lookups.are_cheaper(table.name, keys):
            return self.sources.matching(table, keys, key, by_lookup=False)
        with self.steps(looking_up(table.name)):
            return self.sources.matching(table, keys, key, by_lookup=True)

    def sampled(self, rows: DataFrame) -> DataFrame:
        """Compared rows of which only those of a share of all contexts, groups or activities count as changed.

        The share is always the same one: it is chosen by a hash.
        """
        if self.asked.share >= 1:
            return rows
        columns = [name for name in ("context_id", "group_id", "activity_id") if name in rows.columns]
        sampled_by = F.coalesce(*columns)
        is_sampled = F.pmod(F.xxhash64(sampled_by), F.lit(_BUCKETS)) < F.lit(self.asked.share * _BUCKETS)
        return rows.withColumn("is_changed", F.col("is_changed") & is_sampled)

    def without_erased(self, rows: DataFrame) -> DataFrame:
        """Rows that were read, without those of erased learners: one may have come in since the run began."""
        erased = self.execution.erased
        if not erased.hashes:
            return rows
        users = self.results.keep(erased_rows(rows.select("user_id").distinct(), erased), "erased")
        return without_users(rows, users)
