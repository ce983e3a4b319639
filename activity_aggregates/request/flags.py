"""Flags that several commands have, with the types of their values: a wrong one is told in a sentence."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from activity_aggregates.request.scope import Scope, users_of

USERS_FILE: dict[str, Any] = {  # `users_of` reads them
    "action": "append",
    "type": Path,
    "metavar": "FILE",
    "help": "learners, one id per line",
}
_N = TypeVar("_N", int, float)


def add_scope(parser: ArgumentParser) -> None:
    """The flags that name a part of everything; `scope_of` reads them."""
    scope = parser.add_argument_group("scope (each may be repeated)")
    for flag, metavar, meaning in (
        ("--activity", "TYPE:ID", "a Course and what it has, a CourseUnit, a Quiz"),
        ("--context", "cb:BATCH", "a course batch, or g:GROUP, where a group holds quizzes"),
        ("--group", "ID", "the rows of this group and the quizzes held in it; goes alone"),
        ("--user", "ID", "a learner"),
    ):
        scope.add_argument(flag, action="append", default=[], metavar=metavar, help=meaning)
    scope.add_argument("--users-file", default=[], **USERS_FILE)


def scope_of(arguments: Namespace) -> Scope:
    """The scope that the flags of `add_scope` name; full where there are none."""
    users = [*arguments.user, *users_of(arguments.users_file)]
    return Scope.parse(arguments.activity, arguments.context, arguments.group, users)


def add_wait(parser: ArgumentParser) -> None:
    """How long a run waits for another one to end, in seconds."""
    parser.add_argument(
        "--wait", type=seconds, default=0.0, metavar="SECONDS", help="wait so long for a run that is under way (0)"
    )


def seconds(text: str) -> float:
    """A duration that ends.

    >>> seconds("2.5")
    2.5
    """
    return _number(text, float, lambda value: 0 <= value < float("inf"), "a time to wait: give seconds, 0 or more")


def share(text: str) -> float:
    """A share that leaves something, up to all.

    >>> share("0.1")
    0.1
    """
    return _number(text, float, lambda value: 0 < value <= 1, "a share: give a number above 0 and up to 1")


def count(text: str) -> int:
    """A number of rows, which may be none."""
    return _number(
        text, int, lambda value: 0 <= value <= sys.maxsize, "a number of rows: give a whole number, 0 or more"
    )


def at_least_one(text: str) -> int:
    """A number of what is to be shown."""
    return _number(
        text, int, lambda value: 1 <= value <= sys.maxsize, "a number of runs: give a whole number, 1 or more"
    )


def _number(text: str, kind: type[_N], is_right: Callable[[_N], bool], wanted: str) -> _N:
    """The value of a flag; raises what argparse quotes where it is not one."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not is_right(value):
        raise ArgumentTypeError(f"{text} is not {wanted}")
    return value
