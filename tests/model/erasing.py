"""What erasing learners means: their rows are gone, in the sources as in the tables."""

from dataclasses import replace

from tests.model.rows import Source


def without(source: Source, erased: set[str]) -> Source:
    """The source as a run reads it."""
    return replace(
        source,
        enrolments=[row for row in source.enrolments if row.user_id not in erased],
        progress=[row for row in source.progress if row.user_id not in erased],
        attempts=[row for row in source.attempts if row.user_id not in erased],
        group_members=[row for row in source.group_members if row.user_id not in erased],
        group_attempts=[row for row in source.group_attempts if row.user_id not in erased],
        timespent=[row for row in source.timespent if row.user_id not in erased],
    )
