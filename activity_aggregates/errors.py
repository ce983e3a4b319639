"""The one family of errors that end a command: each has an exit code and one sentence with the next step."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class JobError(Exception):
    """A failure that its user can act on.

    The message is one sentence that names the offending value and says what to do next. `main` is the only place that
    catches it, prints the sentence and exits with `exit_code`; every other exception is a bug and keeps its traceback.
    """

    exit_code = 1


class CheckFailed(JobError):
    """A check stopped the command before it did harm: a limit, a difference, a migration that is missing."""

    exit_code = 1


class BadRequest(JobError):
    """The arguments or the configuration are wrong."""

    exit_code = 2


class Unreachable(JobError):
    """A source or the target cannot be reached, or was lost on the way."""

    exit_code = 3


class Forbidden(Unreachable):
    """A source or the target answers, and refuses: to ask again is of no use."""


def nearest(word: str, known: Iterable[str]) -> str:
    """What may have been meant by a word that is none of those that are known.

    >>> nearest("rnu", ["run", "verify"]), nearest("status", ["run", "verify"])
    ('the nearest is run', 'there are run, verify')
    """
    words = list(known)
    near = get_close_matches(word, words, n=1)
    return f"the nearest is {near[0]}" if near else f"there are {', '.join(words)}"
