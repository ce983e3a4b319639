"""A file of pairs: which learners of which course and batch have changed, as the platform's own events say."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from activity_aggregates.errors import BadRequest
from activity_aggregates.request.scope import PAIRS, Learners

COLUMNS = ("user_id", "course_id", "batch_id")


@dataclass(frozen=True)
class Pair:
    """A learner in a course and batch."""

    user_id: str
    course_id: str
    batch_id: str


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a CSV file, one per line; a first line with the names of the columns may be there.

    Blank lines are passed over. Raises BadRequest, which names the line, for one that is not three ids.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadRequest(
            f"--changed {path} cannot be read ({reason}): name a CSV file of {','.join(COLUMNS)}"
        ) from error
    pairs = []
    for number, row in enumerate(rows, start=1):
        fields = [field.strip() for field in row]
        if not any(fields) or (number == 1 and tuple(fields) == COLUMNS):
            continue
        if len(fields) != len(COLUMNS) or not all(fields):
            raise BadRequest(f"--changed {path}, line {number}: write {','.join(COLUMNS)}, and none of them empty")
        pairs.append(Pair(*fields))
    if not pairs:
        raise BadRequest(f"--changed {path} names no pair: write one per line, as {','.join(COLUMNS)}")
    return pairs


def sealed_pairs(pairs: list[Pair], secret: bytes) -> Learners:
    """What is kept of them."""
    texts = (f"{pair.user_id}\t{pair.course_id}\t{pair.batch_id}" for pair in pairs)
    return Learners.sealed(texts, secret, PAIRS)
