"""`verify`: recompute, compare with what is stored, list the differences, and repair them where it is told to."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("verify")

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyspark.sql import DataFrame, Row

from activity_aggregates import settings
from activity_aggregates.changes import findings
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest, CheckFailed
from activity_aggregates.protocol.execution import Execution
from activity_aggregates.report.findings import print_held, print_sums, print_table
from activity_aggregates.request.flags import add_scope, add_wait, count, scope_of, share
from activity_aggregates.request.scope import Scope
from activity_aggregates.run.applying import changes_of, held_entries, stored_rows_of
from activity_aggregates.run.flow import RunRequest, finish, holding, prepare, stage, surroundings
from activity_aggregates.run.published import differing_sums
from activity_aggregates.run.spark_work import active_spark
from activity_aggregates.store.records import DIFFERING_SUMS, DRY_RUN, HELD, KINDS, SAMPLED, VERIFY
from activity_aggregates.store.targets import TARGET_TABLES
from activity_aggregates.watching.textfile import metrics_file_kept
from metrics.declarations import names

_EXAMPLES = 5  # of each kind and table
_NAMED = 20  # entries
_WEAK = ("ONE", "LOCAL_ONE")


EXAMPLES = {
    "verify --conf settings.yaml --wait 3600": "all of it, as every week",
    "verify --conf settings.yaml --sample 0.05 --out differences.jsonl": "a twentieth, each difference to a file",
    "verify --conf settings.yaml --published": "the stored counts against the stored rows, without the sources",
    "verify --conf settings.yaml --context cb:0174861 --repair": "write what was computed, and read it back",
}


def add_arguments(parser: ArgumentParser) -> None:
    add_scope(parser)
    parser.add_argument(
        "--sample", type=share, default=1.0, metavar="SHARE", help="compare this share of the contexts and groups (1)"
    )
    parser.add_argument(
        "--published", action="store_true", help="compare the stored counts with the stored rows, without any source"
    )
    parser.add_argument("--repair", action="store_true", help="write what was computed, and read it back")
    parser.add_argument("--out", type=Path, metavar="FILE", help="every difference as a line of JSON")
    parser.add_argument(
        "--max-differences", type=count, default=0, metavar="N", help="exit 1 where more rows differ (0)"
    )
    add_wait(parser)


def call(configuration: Configuration, arguments: Namespace) -> int:
    asked = Verification(
        scope_of(arguments), arguments.sample, arguments.repair, arguments.out, arguments.max_differences,
        arguments.wait, arguments.published,
    )  # fmt: skip
    with metrics_file_kept(configuration, os.environ):
        return verify(configuration, os.environ, asked)


@dataclass(frozen=True)
class Verification:
    """What is asked of `verify`; `sample` is a share, `out` takes every difference, `wait` is in seconds.

    `published` asks for the sums of what is published, and for no source.
    """

    scope: Scope
    sample: float = 1.0
    repair: bool = False
    out: Path | None = None
    max_differences: int = 0
    wait: float = 0.0
    published: bool = False


def verify(configuration: Configuration, environ: Mapping[str, str], asked: Verification) -> int:
    """Compare, and repair where that is asked for; 0 also where another run holds the lease.

    Raises CheckFailed for more than `max_differences` rows that differ and are not repaired, or for entries that a
    repair could not set.
    """
    _check(asked)
    if asked.out is not None:
        findings.write_lines(asked.out, None)  # while little is lost if it cannot be
    chosen = replace(configuration, settings=_for_verifying(configuration.settings, asked.repair))
    request = RunRequest(asked.scope, dry_run=not asked.repair, wait=asked.wait, command=VERIFY)
    with surroundings(chosen, environ) as around, holding(around, request) as execution:
        if execution is None:
            return 0
        execution.counts |= _kind(asked)
        if not execution.begin(None):
            return 0
        execution.work.start(execution)
        if asked.published:
            return _verify_published(execution, asked)
        return _verify(execution, request, asked)


def _kind(asked: Verification) -> dict[str, int]:
    """Counts by which a verification is known to be one of published sums or of a sample, also where it fails."""
    if asked.published:
        return {DIFFERING_SUMS: 0}
    return {SAMPLED: round(asked.sample * 1_000_000)} if asked.sample < 1 else {}


def _check(asked: Verification) -> None:
    if asked.repair and asked.sample < 1:
        raise BadRequest(f"--sample {asked.sample:g} is for looking, --repair is for all of the scope: leave out one")
    if asked.published and (asked.repair or asked.sample < 1 or not asked.scope.is_full):
        raise BadRequest(
            "--published adds up what is published, everywhere: leave out the scope, --sample and --repair"
        )


def _verify(execution: Execution, request: RunRequest, asked: Verification) -> int:
    stage(execution, replace(prepare(execution, request), share=asked.sample))
    found = _findings(execution)
    with execution.steps("list differences"):
        total = _print_findings(found, execution, asked.sample)
        if asked.out is not None:
            findings.write_lines(asked.out, findings.furthest_first(found))
    if asked.repair:
        finish(execution)
        return _read_back(execution)
    execution.work.tidy(execution)
    execution.end(DRY_RUN)
    return _judged(total, asked, "rows differ", "look at them above, then write what was computed with --repair")


def _judged(total: int, asked: Verification, what: str, next_step: str) -> int:
    if total > asked.max_differences:
        raise CheckFailed(f"{total} {what}, more than --max-differences {asked.max_differences} allows: {next_step}")
    return 0


def _verify_published(execution: Execution, asked: Verification) -> int:
    """Compare published sums with the published rows."""
    with execution.steps("add up published rows"):
        stored = stored_rows_of(execution, active_spark(execution.work))
        sums = differing_sums(stored, execution.selection, execution.settings.metrics)
        rows = sums.orderBy("table", "key", "metric")
        listed = rows.limit(_NAMED + 1).collect()
        total = len(listed) if len(listed) <= _NAMED else rows.count()
        if asked.out is not None:
            findings.write_lines(asked.out, rows, Row.asDict)
    print_sums([row.asDict() for row in listed[:_NAMED]], total)
    if not total:
        print("every published sum is the sum of the published rows")
    execution.counts[DIFFERING_SUMS] = total
    execution.end(DRY_RUN)
    return _judged(total, asked, "published sums differ", "count them anew with `activity-aggregates verify --repair`")


def _for_verifying(chosen: settings.Settings, repair: bool) -> settings.Settings:
    """Settings under which what is read is what a quorum holds, and nothing but a repair is stopped by limits."""
    cassandra, limits = chosen.cassandra, chosen.limits
    if cassandra.consistency in _WEAK:
        cassandra = replace(cassandra, consistency="LOCAL_QUORUM")
    if not repair:
        limits = replace(limits, refused_share=1.0, retracted_share=1.0, lowered_share=1.0)
    return replace(chosen, cassandra=cassandra, limits=limits)


def _findings(execution: Execution) -> DataFrame | None:
    """What is staged, entry by entry; None where nothing is."""
    rows = changes_of(execution, active_spark(execution.work))
    return None if rows is None else findings.findings(rows, execution.selection)


def _print_findings(found: DataFrame | None, execution: Execution, sample: float) -> int:
    """Print, for each table, what differs and what is newer, count it, and return how many rows differ."""
    if sample < 1:
        print(f"compared a sample of {sample:g} of all contexts and groups, always the same one")
    counts = execution.counts
    differs = found is not None and any(counts.get(f"changed.{table.name}") for table in TARGET_TABLES)
    by_table = findings.counted(found) if differs and found is not None else {}
    examples = findings.examples(found, _EXAMPLES, by=("table", "kind")) if differs and found is not None else {}
    total = 0
    for name in _compared_tables(execution):
        of_table = by_table.get(name, findings.TableFindings())
        counts.update({f"{kind}.{name}": of_table.rows.get(kind, 0) for kind in KINDS})
        total += of_table.total
        listed = {kind: [findings.plain(row) for row in examples.get((name, kind), ())] for kind in KINDS}
        print_table(name, of_table.rows, of_table.metrics, listed)
        if newer := counts.get(f"newer.{name}"):
            print(f"  {newer} stored entries are newer than this snapshot: they are no differences and stay")
    return total


def _compared_tables(execution: Execution) -> list[str]:
    """The tables that hold texts, or metrics that are on."""
    return [table.name for table in TARGET_TABLES if table.holds_texts or names(table.name, execution.selection)]


def _read_back(execution: Execution) -> int:
    """Read what was written again; raises CheckFailed with the entries that hold something else."""
    spark = active_spark(execution.work)
    with execution.steps("read back"):
        others = held_entries(execution, spark, only_undated=False)
        listed = [] if others is None else others.orderBy("table", "key", "metric").limit(_NAMED + 1).collect()
        held = len(listed) if len(listed) <= _NAMED or others is None else others.count()
    print_held([row.asDict() for row in listed[:_NAMED]], held)
    execution.counts[HELD] = held
    execution.save()
    if held:
        raise CheckFailed(
            f"{held} entries hold what a later writer set: find the writer, or, if its clock was ahead, "
            "repair them when that time has passed"
        )
    return 0
