"""`activity-aggregates <command>`: reads the arguments, loads the settings once, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from activity_aggregates import __version__, configuration, interrupts
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest, JobError

if TYPE_CHECKING:
    from activity_aggregates.request.scope import Scope

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are of the one family."""

    def error(self, message: str) -> NoReturn:
        raise BadRequest(f"{message}: see `{self.prog} --help`")


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 done, 1 checks failed, 2 bad arguments or configuration, 3 a store unreachable or lost, 130 interrupted.
    """
    try:
        arguments = _parser().parse_args(argv)
        interrupts.heed()
        settings = configuration.load(arguments.conf, os.environ, configuration.flag_values(arguments.set))
        return int(arguments.call(settings, arguments))
    except JobError as error:
        print(f"activity-aggregates: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except Exception:
        if interrupts.was_interrupted():  # the call that was cut off failed in its own way
            return _interrupted()
        raise


def _interrupted() -> int:
    print("activity-aggregates: interrupted", file=sys.stderr)
    return INTERRUPTED


def cli() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="activity-aggregates", description="Completion numbers of a learning platform.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=_Parser)
    common = _Parser(add_help=False)
    common.add_argument(
        "--conf", type=Path, metavar="FILE", help="a YAML file with settings that differ from the defaults"
    )
    common.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, as section.key=value"
    )
    _add_run(commands, common)
    _add_backfill(commands, common)
    _add_verify(commands, common)
    _add_erase(commands, common)
    migrate = commands.add_parser("migrate", parents=[common], help="create or update the tables")
    migrate.add_argument("--check", action="store_true", help="change nothing, exit 1 where something is pending")
    migrate.set_defaults(call=_migrate)
    runs = commands.add_parser("runs", parents=[common], help="the ledger of runs")
    runs.add_argument("run", nargs="?", metavar="RUN", help="show this run in full")
    runs.add_argument("--limit", type=int, default=20, metavar="N", help="how many of the newest (20)")
    runs.add_argument("--json", action="store_true", help="as JSON")
    runs.add_argument(
        "--prometheus", type=Path, metavar="FILE", help="write the metrics for Prometheus and nothing else"
    )
    runs.set_defaults(call=_runs)
    report = commands.add_parser("report", parents=[common], help="one run as a page, with plots")
    report.add_argument("run", metavar="RUN", help="its id, or last")
    report.add_argument("--out", type=Path, metavar="FILE", help="(report-<run id>.html; with --json the output)")
    report.add_argument("--json", action="store_true", help="the same as JSON")
    report.set_defaults(call=_report)
    serve = commands.add_parser("serve", parents=[common], help="the read API")
    serve.add_argument("--insecure-local", action="store_true", help="check no tokens; only on a loopback address")
    serve.set_defaults(call=_serve)
    config = commands.add_parser("config", help="the settings")
    shows = config.add_subparsers(dest="action", required=True, metavar="action", parser_class=_Parser)
    show = shows.add_parser("show", parents=[common], help="resolved settings and where each comes from")
    show.set_defaults(call=_show)
    return parser


def _add_run(commands: Any, common: argparse.ArgumentParser) -> None:
    run = commands.add_parser("run", parents=[common], help="compute the aggregates and write what changed")
    _add_scope(run)
    run.add_argument(
        "--as-of", metavar="INSTANT", help="the snapshot time, ISO-8601 with an offset or YYYY-MM-DD (now)"
    )
    run.add_argument(
        "--incremental", action="store_true", help="read only what has changed since the last run and what it concerns"
    )
    run.add_argument(
        "--changed", type=Path, metavar="FILE", help="look at the user_id,course_id,batch_id that a CSV file names"
    )
    run.add_argument("--dry-run", action="store_true", help="show what would change and write nothing")
    run.add_argument("--resume", metavar="RUN", help="finish applying a run that died: its id, or last")
    _add_wait(run)
    run.set_defaults(call=_run)


def _add_backfill(commands: Any, common: argparse.ArgumentParser) -> None:
    backfill = commands.add_parser("backfill", parents=[common], help="carry out a reviewed record, unit by unit")
    backfill.add_argument("file", type=Path, metavar="FILE", help="conf/backfills/<date>-<name>.yaml")
    backfill.add_argument("--dry-run", action="store_true", help="show what each unit would change and write nothing")
    backfill.add_argument("--again", action="store_true", help="do all of a finished one once more")
    _add_wait(backfill)
    backfill.set_defaults(call=_backfill)


def _add_verify(commands: Any, common: argparse.ArgumentParser) -> None:
    verify = commands.add_parser("verify", parents=[common], help="recompute and list how what is stored differs")
    _add_scope(verify)
    verify.add_argument(
        "--sample", type=_share, default=1.0, metavar="SHARE", help="compare this share of the contexts and groups (1)"
    )
    verify.add_argument("--repair", action="store_true", help="write what was computed, and read it back")
    verify.add_argument("--out", type=Path, metavar="FILE", help="every difference as a line of JSON")
    verify.add_argument(
        "--max-differences", type=_count, default=0, metavar="N", help="exit 1 where more rows differ (0)"
    )
    _add_wait(verify)
    verify.set_defaults(call=_verify)


def _add_scope(command: argparse.ArgumentParser) -> None:
    scope = command.add_argument_group("scope (each may be repeated; counts are always of all learners)")
    scope.add_argument(
        "--activity",
        action="append",
        default=[],
        metavar="TYPE:ID",
        help="a Course and what it has, a CourseUnit, a Quiz",
    )
    scope.add_argument("--context", action="append", default=[], metavar="cb:BATCH", help="a course batch")
    scope.add_argument("--group", action="append", default=[], metavar="ID", help="only the rows of this group")
    scope.add_argument("--user", action="append", default=[], metavar="ID", help="a learner")
    scope.add_argument("--users-file", type=Path, metavar="FILE", help="learners, one id per line")


def _add_erase(commands: Any, common: argparse.ArgumentParser) -> None:
    erase = commands.add_parser("erase", parents=[common], help="remove learners from all tables, for good")
    erase.add_argument("--users-file", type=Path, metavar="FILE", required=True, help="learners, one id per line")
    erase.add_argument("--dry-run", action="store_true", help="count the rows and erase nothing")
    _add_wait(erase)
    erase.set_defaults(call=_erase)


def _add_wait(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wait", type=_seconds, default=0.0, metavar="SECONDS", help="wait so long for a run that is under way"
    )


def _seconds(text: str) -> float:
    """A duration that ends.

    >>> _seconds("2.5")
    2.5
    """
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _share(text: str) -> float:
    """A share that leaves something, up to all.

    >>> _share("0.1")
    0.1
    """
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share above 0 and up to 1")
    return share


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return count


# The commands are imported when they are called: reading the ledger does not wait for Spark to be imported.


def _run(settings: Configuration, arguments: argparse.Namespace) -> int:
    from activity_aggregates.report.textfile import metrics_file_kept
    from activity_aggregates.request.instants import parse_instant
    from activity_aggregates.run.flow import RunRequest, run
    from activity_aggregates.store.records import CHANGED, INCREMENTAL, RUN

    scope = _scope(arguments)
    as_of = parse_instant(arguments.as_of, datetime.now(UTC)) if arguments.as_of else None
    is_narrowed = arguments.incremental or arguments.changed or not scope.is_full
    if arguments.resume and (arguments.dry_run or as_of or is_narrowed):
        raise BadRequest(
            f"--resume {arguments.resume} goes on with what that run staged: "
            "leave out the scope, --as-of, --incremental, --changed and --dry-run"
        )
    if arguments.changed and (arguments.incremental or not scope.is_full):
        raise BadRequest(f"--changed {arguments.changed} says what to look at: leave out --incremental and the scope")
    if arguments.incremental and not scope.is_full:
        raise BadRequest(
            f"--incremental finds what has changed by itself, everywhere: leave out the scope ({scope.describe()}), "
            "or leave out --incremental"
        )
    command = INCREMENTAL if arguments.incremental else CHANGED if arguments.changed else RUN
    request = RunRequest(scope, as_of, arguments.dry_run, arguments.resume, arguments.wait, command, arguments.changed)
    with metrics_file_kept(settings, os.environ):
        return run(settings, os.environ, request)


def _scope(arguments: argparse.Namespace) -> Scope:
    from activity_aggregates.request.scope import Scope, users_file

    listed = users_file(arguments.users_file) if arguments.users_file else []
    return Scope.parse(arguments.activity, arguments.context, arguments.group, [*arguments.user, *listed])


def _backfill(settings: Configuration, arguments: argparse.Namespace) -> int:
    from activity_aggregates.report.textfile import metrics_file_kept
    from jobs.backfill import BackfillRequest, backfill

    request = BackfillRequest(arguments.file, arguments.dry_run, arguments.again, arguments.wait)
    with metrics_file_kept(settings, os.environ):
        return backfill(settings, os.environ, request)


def _verify(settings: Configuration, arguments: argparse.Namespace) -> int:
    from activity_aggregates.report.textfile import metrics_file_kept
    from jobs.verify import Verification, verify

    asked = Verification(
        _scope(arguments), arguments.sample, arguments.repair, arguments.out, arguments.max_differences, arguments.wait
    )
    with metrics_file_kept(settings, os.environ):
        return verify(settings, os.environ, asked)


def _erase(settings: Configuration, arguments: argparse.Namespace) -> int:
    from activity_aggregates.report.textfile import metrics_file_kept
    from activity_aggregates.request.scope import users_file
    from jobs.erase import erase

    user_ids = users_file(arguments.users_file)
    with metrics_file_kept(settings, os.environ):
        return erase(settings, os.environ, user_ids, arguments.dry_run, arguments.wait)


def _migrate(settings: Configuration, arguments: argparse.Namespace) -> int:
    from jobs.migrate import migrate

    return migrate(settings, os.environ, arguments.check)


def _runs(settings: Configuration, arguments: argparse.Namespace) -> int:
    from activity_aggregates.report.textfile import write_metrics_file
    from jobs.runs import show_runs

    if arguments.prometheus:
        return write_metrics_file(settings, os.environ, arguments.prometheus, datetime.now(UTC))
    return show_runs(settings, os.environ, arguments.run, arguments.limit, arguments.json, datetime.now(UTC))


def _report(settings: Configuration, arguments: argparse.Namespace) -> int:
    from jobs.report import report

    return report(settings, os.environ, arguments.run, arguments.out, arguments.json, datetime.now(UTC))


def _serve(settings: Configuration, arguments: argparse.Namespace) -> int:
    try:
        from activity_aggregates.api.serve import serve
    except ModuleNotFoundError as error:
        raise BadRequest(
            f"{error.name} is not installed, which the read API needs: pip install 'activity-aggregates[api]'"
        ) from error

    return serve(settings, os.environ, arguments.insecure_local)


def _show(settings: Configuration, arguments: argparse.Namespace) -> int:
    from jobs.config import show

    return show(settings, os.environ)


if __name__ == "__main__":
    cli()
