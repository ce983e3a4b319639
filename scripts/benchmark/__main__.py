"""The command behind scripts/bench."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from activity_aggregates import configuration
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import JobError
from scripts.benchmark.api import measure as measure_api
from scripts.benchmark.bare_scan import scan
from scripts.benchmark.bare_write import write
from scripts.benchmark.beside import measure_beside
from scripts.benchmark.dataset import BATCH
from scripts.benchmark.duckdb_ratio import aggregate
from scripts.benchmark.load import change, to_cassandra, to_parquet
from scripts.benchmark.measure import measure, measure_backfill

KEYSPACES = "bench"  # the sources; the targets are in bench_aggregates
API_KEYSPACE = "bench_api"
DRIVER_HEAP = "4g"


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    flags = _flags(arguments.keyspace, arguments.parquet)
    try:
        return _outcome(arguments, configuration.load(None, os.environ, flags), flags)
    except JobError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _outcome(arguments: argparse.Namespace, settings: Configuration, flags: dict[str, object]) -> int:
    targets = settings.settings.target.keyspace
    match arguments.command:
        case "load":
            return _load(settings, arguments)
        case "change":
            change(settings.settings, arguments.enrolments, arguments.keyspace, arguments.one_in)
            return 0
        case "api":
            return _api(flags, arguments)
        case "duckdb":
            return aggregate(arguments.parquet)
        case "scan":
            return scan(settings, arguments.keyspace, targets)
        case "write":
            return write(settings, flags, targets, f"{arguments.keyspace}_bare")
        case "backfill":
            contexts = [f"cb:{BATCH % course}" for course in range(arguments.contexts)]
            return measure_backfill(settings, flags, contexts)
        case _:
            return _run(settings, flags, arguments)


def _api(flags: dict[str, object], arguments: argparse.Namespace) -> int:
    if not arguments.beside_run:
        return measure_api(flags, arguments.keyspace, arguments.workers, arguments.seconds, arguments.again)
    job = {**_flags(KEYSPACES, None), "target.keyspace": flags["target.keyspace"]}
    return measure_beside(flags, arguments.keyspace, job, arguments.workers, arguments.seconds)


def _run(settings: Configuration, flags: dict[str, object], arguments: argparse.Namespace) -> int:
    if arguments.families:
        flags["metrics.families"] = arguments.families.split(",")
    asked = [*(["--incremental"] if arguments.incremental else []), *arguments.scope]
    return measure(settings, flags, arguments.again or bool(asked), asked)


def _load(settings: Configuration, arguments: argparse.Namespace) -> int:
    if arguments.parquet:
        to_parquet(settings.settings, arguments.enrolments, arguments.parquet)
    else:
        to_cassandra(settings.settings, arguments.enrolments, arguments.keyspace)
    return 0


def _flags(keyspace: str, parquet: Path | None) -> dict[str, object]:
    """The settings of the benchmark: sources and targets of its own, and a fixed heap."""
    tables = {
        "enrolments": "user_enrolments",
        "progress": "user_content_consumption",
        "hierarchies": "content_hierarchy",
        "attempts": "assessment_aggregator",
    }
    flags: dict[str, object] = {
        "target.keyspace": f"{keyspace}_aggregates",
        "target.replication": {"class": "SimpleStrategy", "replication_factor": 1},
        "spark.driver_memory": DRIVER_HEAP,
    }
    for source, table in tables.items():
        if parquet:
            flags |= {f"sources.{source}.format": "parquet", f"sources.{source}.path": str(parquet.absolute() / table)}
        else:
            flags[f"sources.{source}.keyspace"] = keyspace
    return flags


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--keyspace", default=KEYSPACES, help="of the sources (%(default)s)")
    common.add_argument("--parquet", type=Path, metavar="DIR", help="the sources are Parquet files in this folder")
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Times the run on a data set of any size.")
    commands = parser.add_subparsers(dest="command", required=True)
    load = commands.add_parser("load", parents=[common], help="write the data set, in place of an earlier one")
    load.add_argument("--enrolments", type=int, required=True, metavar="N", help="with about eight progress rows each")
    run = commands.add_parser("run", parents=[common], help="time `activity-aggregates run` and print its phases")
    run.add_argument("--again", action="store_true", help="keep what earlier runs wrote, instead of starting empty")
    run.add_argument("--incremental", action="store_true", help="an incremental run after earlier runs")
    run.add_argument("--families", metavar="LIST", help="metrics.families, with commas between them (all)")
    run.add_argument("scope", nargs="*", metavar="-- FLAG", help="flags of `run` that name a part, after earlier runs")
    backfill = commands.add_parser(
        "backfill", parents=[common], help="time a backfill of some contexts of the data set"
    )
    backfill.add_argument("--contexts", type=int, default=20, metavar="N", help="how many (%(default)s)")
    scan_ = commands.add_parser("scan", parents=[common], help="time scans of the same columns by the connector alone")
    scan_.set_defaults(parquet=None)
    write_ = commands.add_parser("write", parents=[common], help="time the driver alone writing the rows of learners")
    write_.set_defaults(parquet=None)
    change = commands.add_parser("change", parents=[common], help="let some enrolments of the data set go on")
    change.add_argument("--enrolments", type=int, required=True, metavar="N", help="the size of the data set")
    change.add_argument("--one-in", type=int, default=100, metavar="N", help="how many go on (one in %(default)s)")
    duckdb = commands.add_parser("duckdb", help="the same aggregation of a Parquet set in DuckDB, as a yardstick")
    duckdb.add_argument("--parquet", type=Path, metavar="DIR", required=True, help="the folder that load wrote")
    duckdb.set_defaults(keyspace=KEYSPACES)
    api = commands.add_parser("api", help="time the read API beside the same reads by the bare driver")
    api.add_argument("--workers", type=int, default=2, metavar="N", help="processes of both (%(default)s)")
    api.add_argument("--seconds", type=int, default=10, metavar="N", help="of each measurement (%(default)s)")
    api.add_argument("--again", action="store_true", help="use the data set that an earlier call has loaded")
    api.add_argument("--beside-run", action="store_true", help="200 connections beside a job, after both loads")
    api.set_defaults(keyspace=API_KEYSPACE, parquet=None)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
