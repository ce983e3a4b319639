"""A file of pairs: which learners of which course and batch have changed, as the platform's own events say."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from activity_aggregates.errors import BadRequest
from activity_aggregates.request.scope import PAIRS, SealedLearners
from activity_aggregates.texts import read_text
from metrics.names import ENROLMENT_IDS, LONGEST_KEY


@dataclass(frozen=True)
class Pair:
    """A learner in a course and batch."""

    user_id: str
    course_id: str
    batch_id: str


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """The pairs of a CSV file, one per line; a first line with the names of the columns may be there.

    Blank lines are passed over. Raises BadRequest, which names the line, for one that is not three ids.
    """
    wanted = f"name a CSV file of {','.join(ENROLMENT_IDS)}"
    text = read_text(path, f"--changed {path}", wanted, "utf-8-sig")
    reader = csv.reader(io.StringIO(text), strict=True)  # a quotation that does not end would take in all that follows
    try:
        rows = [(reader.line_num, row) for row in reader]  # the last line of each: a field in quotes may have several
    except csv.Error as error:
        raise BadRequest(f"--changed {path} cannot be read ({error}): {wanted}") from error
    pairs = []
    for number, row in rows:
        fields = [field.strip() for field in row]
        if not any(fields) or (number == 1 and tuple(fields) == ENROLMENT_IDS):
            continue
        if len(fields) != len(ENROLMENT_IDS) or not all(fields):
            raise BadRequest(
                f"--changed {path}, line {number}: write {','.join(ENROLMENT_IDS)}, and none of them empty"
            )
        if any(len(field.encode()) > LONGEST_KEY for field in fields):
            raise BadRequest(f"--changed {path}, line {number}: no id is longer than {LONGEST_KEY} bytes")
        pairs.append(Pair(*fields))
    if not pairs:
        raise BadRequest(f"--changed {path} names no pair: write one per line, as {','.join(ENROLMENT_IDS)}")
    return tuple(pairs)


def sealed_pairs(pairs: Iterable[Pair], secret: bytes) -> SealedLearners:
    """What is kept of them."""
    texts = (f"{pair.user_id}\t{pair.course_id}\t{pair.batch_id}" for pair in pairs)
    return SealedLearners.sealed(texts, secret, PAIRS)
