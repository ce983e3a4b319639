"""What became of a run, in one sentence, and the rest of what its error said."""

from __future__ import annotations

import re

from activity_aggregates.report.contents import duration
from activity_aggregates.store.ledger import DRY_RUN, SUCCEEDED, RunRecord

_LONGEST = 300  # characters of a sentence
# How an error of Spark's JVM begins: what is worth reading comes after it.
_CALLED = re.compile(r"\w+: An error occurred while calling \S+\s*:?\s*", re.DOTALL)
_CLASS = re.compile(r"(?:[a-z_]\w*\.)+(?=[A-Z]\w*(?:Exception|Error|Failure)\b)")
_COMPARED = (SUCCEEDED, DRY_RUN)


def outcome(run: RunRecord) -> str:
    """What a person wants to know first.

    >>> from types import SimpleNamespace as Run
    >>> failed = Run(status="failed", message="OSError: disk full", phases={"read progress": 6.0}, finished_at=None)
    >>> outcome(failed)
    'It failed while it was at "read progress": OSError: disk full'
    """
    match run.status:
        case "succeeded":
            took = duration(run)
            return f"It wrote {run.counts.get('written', 0):,} rows" + (
                f" in {took:,.0f} s." if took is not None else "."
            )
        case "dry_run":
            return "It wrote nothing: it was to compare only."
        case "superseded":
            return headline(run.message) or "A newer run was first, so it wrote nothing."
        case "stopped":
            return f"A check stopped it before its first write: {headline(run.message)}"
        case "failed":
            return f"It failed {_where(run)}: {headline(run.message)}"
        case "interrupted":
            return f"It was interrupted {_where(run)}."
        case "lost":
            return f"It ended without a word {_where(run)}: its process was killed, or lost the store."
        case _:
            return f"It is under way, {_where(run)}."


def headline(message: str) -> str:
    r"""The line of a message that says what happened, without what Java puts before it.

    >>> headline("Py4JJavaError: An error occurred while calling o1.count.\n: java.io.IOException: full\n\tat x")
    'IOException: full'
    """
    first = _CALLED.sub("", message, count=1).strip().partition("\n")[0].strip()
    said = _CLASS.sub("", first)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST].rstrip()} …"


def fault(error: Exception) -> str:
    """The sentence about an error that nobody expected: the rest of it is for who mends the program.

    >>> fault(KeyError("completedOn"))
    "a fault of the program ended it (KeyError: 'completedOn'): its traceback is in what the command printed"
    """
    said = headline(f"{type(error).__name__}: {error}").rstrip(" .:")
    return f"a fault of the program ended it ({said}): its traceback is in what the command printed"


def details(run: RunRecord) -> str:
    """The message as a whole, where the sentence has not all of it."""
    return "" if run.message.strip() in outcome(run) else run.message


def has_compared(run: RunRecord) -> bool:
    """Whether it came so far that what it did not find to differ is equal."""
    return run.status in _COMPARED


def _where(run: RunRecord) -> str:
    """The phase that the run ended in: one that fails is timed, too."""
    return f'while it was at "{list(run.phases)[-1]}"' if run.phases else "before its first phase had ended"
