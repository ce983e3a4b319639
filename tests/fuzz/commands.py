"""Command lines: right flags with wrong values, flags of other commands, words that are none, and said twice."""

from __future__ import annotations

import argparse
import io
import os
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from random import Random

import pytest

from activity_aggregates.layers import CONTACT_POINTS_VARIABLE, PORT_VARIABLE
from jobs.__main__ import COMMANDS, PROGRAM, command_of, main, parser_of
from tests.fuzz.strange import changed_text, text

NOWHERE = ("cassandra: {contact_points: [127.0.0.1], port: 1}\n", "where nothing answers")
VALUES = (
    "Course:c1", "cb:b1", "g1", "u1", "last", "2026-01-31", "0.5", "3", "0", "-1", "nan",
    "limits.clock_skew=5", "lease.ttl=1", "a.b=", "=", "x=[", "activity_agg", "csv", "show",
    "ids.txt", "missing.txt", ".", "",
)  # fmt: skip
# What `serve` does with right arguments goes on until it is told to stop.
CALLED = sorted({*COMMANDS} - {"serve"})
CODES = (0, 2, 3)


def command_line(chance: Random, folder: Path) -> str:
    """A command that cannot be carried out says so in a sentence; with right arguments it misses its store."""
    (folder / "settings.yaml").write_text(NOWHERE[0], "utf-8")
    (folder / "ids.txt").write_text("u1\n", "utf-8")
    arguments = drawn(chance)
    code, said, errors = _called(arguments, folder)
    said.encode()
    assert code in CODES, (arguments, code)
    assert "Traceback" not in errors
    if code != 0:
        assert errors.startswith(f"{PROGRAM}: "), errors
        assert "\n\n" not in errors
    return {0: "", 2: "refused", 3: NOWHERE[1]}[code]


def drawn(chance: Random) -> list[str]:
    name = chance.choice(CALLED)
    words = [chance.choice(VALUES)] if chance.random() < 0.4 else []
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        flag = chance.choice(_flags(name if chance.random() < 0.9 else chance.choice(CALLED)))
        word = chance.choice(VALUES) if chance.random() < 0.8 else text(chance)
        words += chance.choice([[flag, word], [flag, word], [flag], [f"{flag}={word}"], [flag, word, flag, word]])
    if chance.random() < 0.2 and words:
        place = chance.randrange(len(words))
        words[place] = changed_text(chance, words[place])
    arguments = [name if chance.random() < 0.95 else text(chance), *words, "--conf", "settings.yaml"]
    # What a process is given is bytes without 0; those that are no text come in as halves of surrogate pairs.
    return [os.fsdecode(each.encode("utf-8", "surrogatepass")).replace("\0", "") for each in arguments]


@cache
def _flags(name: str) -> list[str]:
    """The flags of a command, help among them, without those that name what a command line of this has itself."""
    parser: argparse.ArgumentParser = parser_of(name, command_of([name]))
    return sorted({flag for action in parser._actions for flag in action.option_strings} - {"--conf"})


def _called(arguments: list[str], folder: Path) -> tuple[int | str | None, str, str]:
    """Exit code and both outputs of a command that runs in a folder of its own."""
    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(output), redirect_stderr(errors):
        patched.chdir(folder)
        for variable in (CONTACT_POINTS_VARIABLE, PORT_VARIABLE):  # of a store that must not be reached
            patched.delenv(variable, raising=False)
        try:
            code: int | str | None = main(arguments)
        except SystemExit as ended:  # of --help
            code = ended.code
    return code, output.getvalue(), errors.getvalue()
