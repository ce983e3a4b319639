"""`completion`: a script for a shell, by which it completes commands, flags and files."""

from __future__ import annotations

if __name__ == "__main__":  # started as a file: packages are found in the checkout, not in this folder
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from jobs.__main__ import cli

    cli("completion")

from argparse import ArgumentParser, Namespace
from typing import Any, cast

from activity_aggregates.configuration import Configuration
from activity_aggregates.store.opening import LAST
from activity_aggregates.store.targets import TARGET_TABLES

EXAMPLES = {
    "completion bash > /etc/bash_completion.d/activity-aggregates": "for everybody on this machine",
    "completion zsh > ~/.zfunc/_activity-aggregates": "where fpath has ~/.zfunc",
    "completion fish > ~/.config/fish/completions/activity-aggregates.fish": "for yourself",
}
SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="write its script to standard output")


def call(configuration: Configuration, arguments: Namespace) -> int:
    print(script(arguments.shell))
    return 0


def script(shell: str) -> str:
    """The script of a shell; what a command takes is asked of the command, so it is never behind."""
    import shtab

    return shtab.complete(_all_commands(), shell)


def _all_commands() -> ArgumentParser:
    """One parser with every command as a part; metavars say which arguments are files, folders or known words."""
    import shtab

    from jobs.__main__ import COMMANDS, PROGRAM, add_arguments, command_of

    places = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}
    words = {"TABLE": [table.name for table in TARGET_TABLES], "RUN": [LAST]}
    program = ArgumentParser(PROGRAM)
    program.add_argument("--version", action="store_true", help="show the version")
    commands = program.add_subparsers()
    for name, meaning in COMMANDS.items():
        parser = commands.add_parser(name, help=meaning, description=meaning)
        add_arguments(parser, command_of([name]))
        for action in parser._actions:
            named = str(action.metavar)
            action.choices = action.choices or words.get(named)
            if named in places:
                cast(Any, action).complete = places[named]
    return program
