"""Rows of a course that a group does not list: clients in the field ask for the courses inside of a listed one.

There are no rows of the group for those; they are the members' own, of every context.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from activity_aggregates.api.answering.admission import Admitted
from activity_aggregates.api.answering.best import Stored, best
from activity_aggregates.api.answering.members import Member
from activity_aggregates.api.answering.shapes import VALUES, Maps
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read
from metrics.declarations import COMPLETION, Selection, names
from metrics.names import CONTEXTS, COURSE, COURSE_UNIT, SCORE_PREFIXES

# Of these every row of a learner has some: the other families may be off, and what was stored of them outlives the row.
_IN_EVERY_ROW = frozenset(names("activity_user_agg", Selection((COMPLETION,))))
KINDS = (COURSE, COURSE_UNIT)  # a course inside of another one is stored as a unit of it


def unlisted_rows(reads: Reads, found: Admitted, activity_id: str, members: Sequence[Member]) -> dict[str, Maps]:
    """Each member's best row of a course, by user. Plain members see it where it is below a course that is listed."""
    reads.spend(len(members) * len(KINDS))
    keys = [(kind, activity_id, member.user_id) for member in members for kind in KINDS]
    stored: dict[str, list[Stored]] = {}
    for (kind, _, user_id), rows in zip(keys, reads.each(Read.LEARNER, keys), strict=True):
        served = (Stored(kind, row[0], row[1:]) for row in rows if row[0].startswith(CONTEXTS))
        stored.setdefault(user_id, []).extend(row for row in served if has_own_entries(row.maps))
    if not any(stored.values()):
        return {}
    if not found.caller.is_service and not is_below_listed(reads, found, activity_id, members, stored.values()):
        return {}
    return {user_id: best(rows).maps for user_id, rows in stored.items() if rows}


def has_own_entries(maps: Maps) -> bool:
    """Whether a learner has a row of the job's: entries of others, and of families that are off, outlive it."""
    entries = VALUES.entries(maps[0]) if maps[0] else ()
    return any(name in _IN_EVERY_ROW or name.startswith(SCORE_PREFIXES) for name, _ in entries)


def is_below_listed(
    reads: Reads, found: Admitted, activity_id: str, members: Sequence[Member], stored: Iterable[Sequence[Stored]]
) -> bool:
    """Whether the catalog has the course below a listed one, in a context of its own rows or of the listed course's."""
    listed = {identifier for _, identifier in found.activities}
    own = {row.context_id for rows in stored for row in rows if row.kind == COURSE_UNIT}
    if _owned(reads, own, activity_id, listed):
        return True
    return _owned(reads, contexts(reads, listed, members), activity_id, listed)


def contexts(reads: Reads, courses: Iterable[str], members: Sequence[Member]) -> Iterator[str]:
    """The contexts of the listed courses in which there are members."""
    ids = sorted(courses)
    reads.spend(len(ids) * len(members))
    keys = ((COURSE, course, member.user_id) for course in ids for member in members)
    seen: set[str] = set()
    for rows in reads.each(Read.LEARNER, keys):
        new = {str(row[0]) for row in rows} - seen
        seen |= new
        yield from sorted(new)


def _owned(reads: Reads, in_contexts: Iterable[str], activity_id: str, courses: set[str]) -> bool:
    for context_id in in_contexts:
        reads.spend(1)
        owner = reads.row(reads.start(Read.OWNER, context_id, COURSE_UNIT, activity_id))
        if owner is not None and owner[0] in courses:
            return True
    return False
