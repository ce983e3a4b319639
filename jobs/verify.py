"""`verify`: recompute, compare with what is stored, list the differences, and repair them where it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from activity_aggregates import settings
from activity_aggregates.changes import findings
from activity_aggregates.changes.change_set import KINDS
from activity_aggregates.changes.staging import RunDirectory, changed_rows
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest, CheckFailed
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.dry_run import describe, shown
from activity_aggregates.run.execution import Execution
from activity_aggregates.run.flow import RunRequest, finish, holding, prepare, stage, surroundings
from activity_aggregates.run.spark_work import active_spark
from activity_aggregates.store.connection import spark_options
from activity_aggregates.store.records import DRY_RUN, VERIFY
from activity_aggregates.store.stored_rows import Stored
from activity_aggregates.store.targets import ACTIVITY_CATALOG, ACTIVITY_METADATA, AGGREGATE_TABLES

_EXAMPLES = 5  # of each kind and table
_ENTRIES_NAMED = 20
_WEAK = ("ONE", "LOCAL_ONE")
_TABLES = (*AGGREGATE_TABLES, ACTIVITY_METADATA, ACTIVITY_CATALOG)


@dataclass(frozen=True)
class Verification:
    """What is asked of `verify`; `sample` is a share, `out` takes every difference, `wait` is in seconds."""

    scope: Scope
    sample: float = 1.0
    repair: bool = False
    out: Path | None = None
    max_differences: int = 0
    wait: float = 0.0


@dataclass(frozen=True)
class TableDifferences:
    """The rows of one table that differ: (key…, kind, to_set, to_remove, was)."""

    table: str
    key: tuple[str, ...]
    rows: DataFrame


def verify(configuration: Configuration, environ: Mapping[str, str], asked: Verification) -> int:
    """Compare, and repair where that is asked for; 0 also where another run holds the lease.

    Raises CheckFailed for more than `max_differences` rows that differ and are not repaired, or for entries that a
    repair could not set.
    """
    if asked.repair and asked.sample < 1:
        raise BadRequest(f"--sample {asked.sample:g} is for looking, --repair is for all of the scope: leave out one")
    if asked.out is not None:
        _write(asked.out, [])  # while little is lost if it cannot be
    chosen = replace(configuration, settings=_for_verifying(configuration.settings, asked.repair))
    request = RunRequest(asked.scope, dry_run=not asked.repair, wait=asked.wait, command=VERIFY)
    with surroundings(chosen, environ) as around, holding(around, request) as execution:
        return _verify(execution, request, asked) if execution else 0


def _verify(execution: Execution, request: RunRequest, asked: Verification) -> int:
    if not execution.begin(None):
        return 0
    work = execution.work
    work.start(execution)
    stage(execution, prepare(execution, request), keeps_quarantine=asked.repair, share=asked.sample)
    spark, directory = active_spark(work), RunDirectory(execution.record.staging_dir)
    differences = _differences(spark, directory, execution.counts)
    with execution.steps("list differences"):
        found = _print_findings(differences, execution.counts, asked.sample)
        if asked.out is not None:
            _write(asked.out, differences)
    if asked.repair:
        finish(execution)
        return _read_back(execution, spark, differences)
    work.tidy(directory.path)
    execution.end(DRY_RUN)
    if found > asked.max_differences:
        raise CheckFailed(
            f"{found} rows differ, more than --max-differences {asked.max_differences} allows: "
            "look at them above, then write what was computed with --repair"
        )
    return 0


def _for_verifying(chosen: settings.Settings, repair: bool) -> settings.Settings:
    """Settings under which what is read is what a quorum holds, and nothing but a repair is stopped by limits."""
    cassandra, limits = chosen.cassandra, chosen.limits
    if cassandra.consistency in _WEAK:
        cassandra = replace(cassandra, consistency="LOCAL_QUORUM")
    if not repair:
        limits = replace(limits, refused_share=1.0, retracted_share=1.0)
    return replace(chosen, cassandra=cassandra, limits=limits)


def _differences(spark: SparkSession, directory: RunDirectory, counts: Mapping[str, int]) -> list[TableDifferences]:
    """What is staged of each table that was compared and has any."""
    found = []
    for table in _TABLES:
        if counts.get(f"changed.{table.name}"):
            rows = findings.differing(changed_rows(spark, directory, table), table)
            found.append(TableDifferences(table.name, table.key, rows))
    return found


def _print_findings(differences: list[TableDifferences], counts: dict[str, int], sample: float) -> int:
    """Print, for each table, what differs and what is newer, count it, and return how many rows differ."""
    if sample < 1:
        print(f"compared a sample of {sample:g} of all contexts and groups, always the same one")
    differing = {each.table: each for each in differences}
    total = 0
    for table in (table.name for table in _TABLES):
        if f"changed.{table}" not in counts:
            continue
        counts.update({f"{kind}.{table}": 0 for kind in KINDS})
        if table in differing:
            total += _print_table(differing[table], counts)
        else:
            print(f"{table}: no difference")
        if newer := counts.get(f"newer.{table}"):
            print(f"  {newer} stored entries are newer than this snapshot: they are no differences and stay")
    return total


def _print_table(differences: TableDifferences, counts: dict[str, int]) -> int:
    rows, metrics = findings.counted(differences.rows)
    counts.update({f"{kind}.{differences.table}": count for kind, count in rows.items()})
    total = sum(rows.values())
    print(f"{differences.table}: {total} rows differ: {_by_kind(rows)}")
    for metric, by_kind in sorted(metrics.items()):
        print(f"  {metric}: {_by_kind(by_kind)}")
    for kind in (kind for kind in KINDS if kind in rows):
        of_kind = differences.rows.filter(differences.rows.kind == kind)
        for row in findings.largest(of_kind, differences.key).limit(_EXAMPLES).collect():
            print(f"  {kind} {describe(row, differences.key)}")
        if rows[kind] > _EXAMPLES:
            print(f"  … and {rows[kind] - _EXAMPLES} more {kind}")
    return total


def _by_kind(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if kind in counts)


def _write(path: Path, differences: list[TableDifferences]) -> None:
    """Every difference as a line of JSON; the driver holds a partition of one table at a time."""
    try:
        with path.open("w", encoding="utf-8") as file:
            for each in differences:
                for row in findings.json_lines(each.rows, each.table, each.key).toLocalIterator():
                    print(row.value, file=file)
    except OSError as error:
        raise BadRequest(
            f"the differences cannot be written to {path} ({error.strerror}): name another file with --out"
        ) from error


def _read_back(execution: Execution, spark: SparkSession, differences: list[TableDifferences]) -> int:
    """Read what was written again; raises CheckFailed with the entries that hold something else."""
    stored = Stored(spark, execution.settings.target, spark_options(execution.connection))
    held = 0
    with execution.steps("read back"):
        for each in differences:
            others = findings.not_taken(each.rows, _stored_rows(stored, each.table), each.key).persist()
            execution.counts[f"held.{each.table}"] = count = others.count()
            for row in others.orderBy(*each.key, "metric").limit(_ENTRIES_NAMED).collect():
                key = " ".join(row[column] for column in each.key)
                print(f"{each.table} {key}: {row.metric} is {shown(row.held)}, not {shown(row.wanted)}")
            if count > _ENTRIES_NAMED:
                print(f"… and {count - _ENTRIES_NAMED} more entries of {each.table}")
            others.unpersist()
            held += count
    execution.save()
    if held:
        raise CheckFailed(
            f"{held} entries hold what a later writer set: find the writer, or, if its clock was ahead, "
            "repair them when that time has passed"
        )
    return 0


def _stored_rows(stored: Stored, table: str) -> DataFrame:
    if table == ACTIVITY_CATALOG.name:
        return findings.catalog_as_maps(stored.catalog())
    if table == ACTIVITY_METADATA.name:
        return stored.metadata()
    return next(stored.rows(target) for target in AGGREGATE_TABLES if target.name == table)
