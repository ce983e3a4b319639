"""Files that name changed enrolments, as the platform's own events do: user_id,course_id,batch_id, one to a line."""

from __future__ import annotations

import csv
from pathlib import Path

from activity_aggregates.errors import BadRequest

COLUMNS = ("user_id", "course_id", "batch_id")


def changed_enrolments(path: Path) -> list[tuple[str, str, str]]:
    """The enrolments of a file; a first line with the names of the columns, and blank lines, are passed over.

    Raises BadRequest, with its line, for one that does not name all three.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(number, [cell.strip() for cell in row]) for number, row in enumerate(csv.reader(file), 1) if row]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadRequest(f"--changed {path} cannot be read ({reason}): name a CSV file of {','.join(COLUMNS)}") from error
    found = []
    for number, cells in rows:
        if tuple(cells) == COLUMNS or not any(cells):
            continue
        if len(cells) != len(COLUMNS) or not all(cells):
            raise BadRequest(f"--changed {path}, line {number}, is not {','.join(COLUMNS)}: {','.join(cells)!r}")
        found.append((cells[0], cells[1], cells[2]))
    if not found:
        raise BadRequest(f"--changed {path} names no enrolment: write {','.join(COLUMNS)}, one to a line")
    return found
