"""`export`: a target table as Parquet or CSV, a column for each metric."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("export")

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import nearest
from activity_aggregates.request.scope import activity, context, listed_activity, named
from activity_aggregates.run.exporting import FORMATS, PARQUET, Export, export
from activity_aggregates.store.targets import TARGET_TABLES, TargetTable

EXAMPLES = {
    "export activity_agg --out exports/activities --conf settings.yaml": "every activity, as Parquet",
    "export activity_user_agg --context cb:0174861 --format csv --out batch": "the learners of a batch, as CSV",
    "export group_activity_agg --activity TextBook:do_21 --out groups": "a course as groups list it",
    "export activity_agg --dates --out s3a://exports/activities": "with the date of each metric, to an object store",
}
_TABLES = {table.name: table for table in TARGET_TABLES}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("table", type=table_named, metavar="TABLE", help=", ".join(_TABLES))
    parser.add_argument("--out", required=True, metavar="DIR", help="a path or URI: a directory that is new or empty")
    parser.add_argument("--format", choices=FORMATS, default=PARQUET, help=f"({PARQUET})")
    parser.add_argument("--dates", action="store_true", help="also when each metric last changed")
    rows = parser.add_argument_group("rows (each may be repeated)")
    rows.add_argument(
        "--context", action="append", default=[], metavar="cb:BATCH", help="only rows of this context, also g:GROUP"
    )
    rows.add_argument(
        "--activity", action="append", default=[], metavar="TYPE:ID",
        help="only rows of this very activity; in tables of groups by the type as listed",
    )  # fmt: skip


def call(configuration: Configuration, arguments: Namespace) -> int:
    return export(configuration, os.environ, asked_of(arguments))


def asked_of(arguments: Namespace) -> Export:
    """What the flags ask for; raises BadRequest for a value that names nothing."""
    table: TargetTable = arguments.table
    parsed = listed_activity if table.is_of_groups else activity
    return Export(
        table, named("--out", arguments.out), arguments.format,
        frozenset(context("--context", value) for value in arguments.context),
        frozenset(parsed("--activity", value) for value in arguments.activity),
        arguments.dates,
    )  # fmt: skip


def table_named(text: str) -> TargetTable:
    """A target table by its own name, whatever the settings call it."""
    if text not in _TABLES:
        raise ArgumentTypeError(f"{text} is not a table; {nearest(text, _TABLES)}")
    return _TABLES[text]
