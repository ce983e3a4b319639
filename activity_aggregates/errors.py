"""The one family of errors that end a command: each has an exit code and one sentence with the next step."""

from __future__ import annotations


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
