"""A platform of many small contexts, each with a course, a group and three learners of its own, as files of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.harness.hierarchy import hierarchy_text

LEARNERS = ("u1", "u2", "u3")
CONTENTS = ("A", "B", "C")
SETTINGS = {"metrics": {"families": ["completion", "dates", "certificates", "scores", "groups"]}}
ENROLLED_ON, ACTIVE_ON, COMPLETED_ON = "2026-01-05T08:00:00Z", "2026-01-08T08:00:00Z", "2026-01-09T08:00:00Z"


def names_of(context: str) -> dict[str, Any]:
    """What belongs to a context alone."""
    return {
        "course": f"c-{context}", "batch": f"b-{context}", "group": f"g-{context}", "unit": f"n-{context}",
        "quiz": f"q-{context}", "learners": [f"{user}-{context}" for user in LEARNERS],
    }  # fmt: skip


def write(contexts: Iterable[str], folder: Path) -> dict[str, Any]:
    """Writes the sources into the folder; returns their section of the settings."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for context in contexts:
        for source, row in rows_of(context):
            rows.setdefault(source, []).append(row)
    for source, listed in rows.items():
        (folder / f"{source}.json").write_text("\n".join(map(json.dumps, listed)), "utf-8")
    nowhere = {"keyspace": None, "table": None}
    places = {source: {**nowhere, "format": "json", "path": str(folder / f"{source}.json")} for source in rows}
    return {**places, "batches": None, "timespent": None, "group_attempts": None}


def rows_of(context: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The first learner has completed, the second has done something, the third nothing; two are of the group."""
    own = names_of(context)
    tree = {
        "course": own["course"],
        "children": ["A", "B", {"unit": own["unit"], "children": ["C", {"leaf": own["quiz"]}]}],
    }
    yield "hierarchies", {"identifier": own["course"], "hierarchy": hierarchy_text(tree)}
    activities = [{"type": "Course", "id": own["course"]}, {"type": "Quiz", "id": own["quiz"]}]
    yield "groups", {"id": own["group"], "status": "active", "activities": activities}
    for number, learner in enumerate(own["learners"]):
        place = {"userid": learner, "courseid": own["course"], "batchid": own["batch"]}
        is_first, done = number == 0, [*CONTENTS, own["quiz"]][: (4, 1, 0)[number]]
        yield "enrolments", {
            **place, "active": True, "status": 2 if is_first else 1, "enrolled_date": ENROLLED_ON,
            "completedon": COMPLETED_ON if is_first else None, "lastcontentaccesstime": ACTIVE_ON if done else None,
            "issued_certificates": [{"name": "merit"}] if is_first else [],
        }  # fmt: skip
        for content in done:
            yield "progress", {**place, "contentid": content, "status": 2, "last_access_time": ACTIVE_ON}
        if done:
            attempt = {"course_id": own["course"], "batch_id": own["batch"], "user_id": learner, "attempt_id": "t1"}
            scores = {"total_score": 2.0 - number, "total_max_score": 3.0, "last_attempted_on": ACTIVE_ON}
            yield "attempts", {**attempt, "content_id": own["quiz"], **scores}
            yield "group_members", {"groupid": own["group"], "userid": learner, "status": "active", "role": "member"}
