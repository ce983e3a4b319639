"""`run`: aggregates everything, what has changed, or a scope."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("run")

import os
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.request.flags import add_scope, add_wait, scope_of
from activity_aggregates.request.scope import Scope, named

EXAMPLES = {
    "run --conf settings.yaml --wait 3600": "everything, as every night",
    "run --conf settings.yaml --incremental": "what has changed, as every hour",
    "run --conf settings.yaml --activity Course:do_1 --dry-run": "show what would change for a course",
    "run --conf settings.yaml --dry-run --out changes.jsonl": "or for all of them, each row to a file",
    "run --conf settings.yaml --resume last": "finish a run that died while it wrote",
}


def add_arguments(parser: ArgumentParser) -> None:
    add_scope(parser)
    parser.add_argument(
        "--as-of", metavar="INSTANT", help="the snapshot time, ISO-8601 with an offset or YYYY-MM-DD (now)"
    )
    parser.add_argument(
        "--incremental", action="store_true", help="look only at what has changed since the last success"
    )
    parser.add_argument(
        "--changed", type=Path, metavar="FILE", help="look only at these lines of user_id,course_id,batch_id"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would change and write nothing")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="of a dry run: every row that would change as a line of JSON"
    )
    parser.add_argument("--resume", metavar="RUN", help="finish applying a run that died: its id, or last")
    add_wait(parser)


def call(configuration: Configuration, arguments: Namespace) -> int:
    from activity_aggregates.changes.findings import write_lines
    from activity_aggregates.request.pairs import read_pairs
    from activity_aggregates.run.flow import RunRequest, run
    from activity_aggregates.store.records import CHANGED, INCREMENTAL, RUN
    from activity_aggregates.watching.textfile import metrics_file_kept

    scope = scope_of(arguments)
    _check(arguments, scope)
    # Once, for it may be a pipe, and before the store is asked for.
    changed = read_pairs(arguments.changed) if arguments.changed is not None else None
    as_of = _as_of(arguments.as_of) if arguments.as_of is not None else None
    command = INCREMENTAL if arguments.incremental else CHANGED if changed else RUN
    request = RunRequest(
        scope, as_of, arguments.dry_run, arguments.resume, arguments.wait, command, changed=changed,
        out=arguments.out,
    )  # fmt: skip
    if arguments.out is not None:
        write_lines(arguments.out, None)  # while little is lost if it cannot be
    with metrics_file_kept(configuration, os.environ):
        return run(configuration, os.environ, request)


def _as_of(text: str) -> datetime:
    """A snapshot time: a run of one before the store's own time would have no place among write times."""
    from activity_aggregates.request.instants import epoch_milliseconds, parse_instant

    as_of = parse_instant(text, datetime.now(UTC))
    if epoch_milliseconds(as_of) < 0:
        raise BadRequest(f"--as-of {text} lies before 1970, when write times begin: give a later instant")
    return as_of


def _check(arguments: Namespace, scope: Scope) -> None:
    """Refuses flags that contradict each other."""
    choices = {
        f"the scope ({scope.describe()})": not scope.is_full,
        f"--changed {arguments.changed}": arguments.changed is not None,
        "--incremental": arguments.incremental,
        f"--as-of {arguments.as_of}": arguments.as_of is not None,
        "--dry-run": arguments.dry_run,
    }
    given = [flag for flag, is_given in choices.items() if is_given]
    if arguments.resume is not None:
        named("--resume", arguments.resume)
    if arguments.resume and given:
        raise BadRequest(f"--resume {arguments.resume} goes on with what that run staged: leave out {', '.join(given)}")
    if arguments.out is not None and not arguments.dry_run:
        raise BadRequest(f"--out {arguments.out} is for what a run would change: add --dry-run")
    parts = [flag for flag in given if flag not in ("--dry-run", f"--as-of {arguments.as_of}")]
    if len(parts) > 1:
        raise BadRequest(f"{' and '.join(parts)} name different parts of everything: leave out all of them but one")
