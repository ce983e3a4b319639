"""`activity-aggregates <command>`: reads the arguments, loads the settings once, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

from activity_aggregates import __version__, configuration, interrupts, logs, output
from activity_aggregates.configuration import Configuration
from activity_aggregates.errors import BadRequest, JobError, Unreachable, nearest
from activity_aggregates.texts import require_text

PROGRAM = "activity-aggregates"
# Each is a module of this package, imported when it is called: reading the ledger does not wait for Spark.
COMMANDS = {
    "run": "compute the aggregates and write what changed",
    "backfill": "carry out a reviewed record, unit by unit",
    "verify": "recompute and list how what is stored differs",
    "erase": "remove learners from all tables, for good",
    "export": "a target table as Parquet or CSV, a column for each metric",
    "runs": "the ledger of runs",
    "report": "one run as a page, with plots",
    "migrate": "create or update the tables",
    "config": "the settings, and where each comes from",
    "serve": "the read API",
    "completion": "a script by which a shell completes commands and flags",
}
# Those whose standard output is what was asked for, in a form of its own, and no log.
ANSWERING = ("completion", "config", "report", "runs")
INTERRUPTED = 130
OURS = {"activity_aggregates", "conf", "jobs", "metrics"}
_FORM = "ACTIVITY_AGGREGATES__LOG__FORMAT"
_UNKNOWN = re.compile(r"unrecognized arguments: (--\w\S*)")
EXIT_CODES = """exit codes:
  0    done; also: nothing to do, another run holds the lease, superseded by a newer run
  1    a check failed: a limit, a difference, a pending migration; with a traceback, a bug
  2    wrong arguments or settings
  3    something outside could not be reached, refused, or was lost; or a disk was full
  130  interrupted, by Ctrl-C or SIGTERM"""


class Command(Protocol):
    """What a module of `COMMANDS` has; its examples are what is written after the program's name, with what it does."""

    EXAMPLES: Mapping[str, str]

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def call(self, configuration: Configuration, arguments: argparse.Namespace, /) -> int: ...


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are of the one family, and to which a flag is what it is in full."""

    def __init__(self, prog: str, description: str, epilog: str, usage: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=f"{description[0].upper()}{description[1:]}.",
            epilog=epilog,
            usage=usage,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        flag = _UNKNOWN.match(message)
        near = get_close_matches(flag[1], self._option_string_actions, n=1) if flag else []
        hint = f"; the nearest is {near[0]}" if near else ""
        raise BadRequest(f"{message}{hint}: see `{self.prog} --help`")


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 done, 1 checks failed, 2 bad arguments or configuration, 3 a store unreachable or lost, 130 interrupted.
    """
    is_answer = bool(argv) and argv[0] in ANSWERING
    with ExitStack() as said:
        said.enter_context(logs.saying(os.environ.get(_FORM, ""), is_answer=is_answer))  # until the settings are known
        try:
            interrupts.heed()
            for argument in argv:
                require_text(argument, "the argument")
            with _installed(argv):
                command = command_of(argv)
                arguments = parser_of(argv[0], command).parse_args(argv[1:])
                settings = configuration.load(arguments.conf, os.environ, configuration.flag_values(arguments.set))
                said.close()
                said.enter_context(logs.saying(settings.settings.log.format, is_answer=is_answer))
                return command.call(settings, arguments)
        except JobError as error:
            logs.tell_error(PROGRAM, str(error), error.exit_code)
            return error.exit_code
        except KeyboardInterrupt:
            return _interrupted()
        except Exception as error:
            if interrupts.was_interrupted():  # the call that was cut off failed in its own way
                return _interrupted()
            if not logs.are_objects():
                raise
            logs.tell_bug(error)
            return 1


def cli(*command: str) -> NoReturn:
    """The process as a whole: the console script, or a file of this package as spark-submit starts it."""
    output.outlive_readers()
    argv = [*command, *sys.argv[1:]]
    is_answer = bool(argv) and argv[0] in ANSWERING
    try:
        code = main(argv)
    except SystemExit as ended:  # after --help and --version
        is_answer, code = True, int(ended.code or 0)
    if lost := output.lost_output():
        code = code or (Unreachable.exit_code if is_answer else 0)
        logs.tell_error(
            PROGRAM, f"standard output was lost ({lost}): free some space, or write it elsewhere", int(code)
        )
    sys.exit(code)


def command_of(argv: Sequence[str]) -> Command:
    """The module of the command that is called; `--help` and `--version` in its place end here."""
    if not argv or argv[0].startswith("-"):
        _overview().parse_args(argv)
        raise BadRequest(f"a command is missing: see `{PROGRAM} --help`")
    if argv[0] not in COMMANDS:
        raise BadRequest(f"{argv[0]} is not a command; {nearest(argv[0], COMMANDS)}")
    return cast(Command, import_module(f"jobs.{argv[0]}"))


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """The arguments of a command, with those that all commands have."""
    examples = _listed({f"{PROGRAM} {call}": meaning for call, meaning in command.EXAMPLES.items()})
    parser = _Parser(f"{PROGRAM} {name}", COMMANDS[name], f"examples:\n{examples}\n\n{EXIT_CODES}")
    add_arguments(parser, command)
    return parser


def add_arguments(parser: argparse.ArgumentParser, command: Command) -> None:
    """Those of a command, and those that all commands have."""
    command.add_arguments(parser)
    common = parser.add_argument_group("settings")
    common.add_argument(
        "--conf", type=Path, action="append", default=[], metavar="FILE",
        help="a YAML file with what differs from the defaults; of several a later one wins",
    )  # fmt: skip
    common.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, as section.key=value"
    )


def _overview() -> argparse.ArgumentParser:
    commands = f"commands:\n{_listed(COMMANDS)}\n\n`{PROGRAM} COMMAND --help` says more.\n\n{EXIT_CODES}"
    parser = _Parser(PROGRAM, "completion numbers of a learning platform", commands, f"{PROGRAM} COMMAND [options]")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _listed(lines: Mapping[str, str]) -> str:
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in lines.items())


@contextmanager
def _installed(argv: Sequence[str]) -> Iterator[None]:
    """Turns what a command's module, or what it calls, cannot import into a BadRequest: the installation lacks it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OURS:
            raise
        extra = "api" if argv[0] == "serve" else "job,spark"
        raise BadRequest(
            f"{argv[0]} needs {error.name}, which is not installed: install {PROGRAM} with its extra [{extra}], "
            "as docs/installing.md says"
        ) from error


def _interrupted() -> int:
    logs.tell_error(PROGRAM, "interrupted", INTERRUPTED)
    return INTERRUPTED


if __name__ == "__main__":
    cli()
