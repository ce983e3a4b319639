"""Sources in which every column of some row holds what it should not: one run takes or refuses each, and counts it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from jobs.__main__ import main
from metrics.refusals import LATEST_DATE_MS
from tests.corruption import stored, strange_rows, world
from tests.corruption.corruptors import ACTIVITIES, DAYS, GROUPS, LEARNERS, MEMBERS, Place
from tests.harness.environment import Environment

ROWS = 3000
CLEAN = "clean"
FIRST = {"startedCount": 4.0, "completedCount": 4.0, "leafNodesCount": 4.0, "completionPercentage": 100.0}
READ = ("enrolments", "progress", "attempts", "group_members")  # of groups their activities are counted


def test_strange_rows_are_counted_and_nobody_else_is_touched(made: Environment, tmp_path: Path) -> None:
    settings = {**world.SETTINGS, "sources": world.write([CLEAN], tmp_path)}
    conf = made.configure(settings, tmp_path)
    written: Counter[str] = Counter(source for source, _ in world.rows_of(CLEAN))
    for source, row in strange_rows.rows(ROWS, seed=1):
        with (tmp_path / f"{source}.json").open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(row)}")
        written[source] += 1
    assert main(["run", "--conf", str(conf)]) == 0

    rows = stored.read(made)
    metrics = (LEARNERS, ACTIVITIES, DAYS, GROUPS, MEMBERS)
    entries = [each for place, row in rows.items() if place.table in metrics for each in row.items()]
    assert [entry for entry in entries if not is_within_its_definition(*entry)] == []
    record = made.ledger.latest()
    assert record is not None
    counts = record.counts
    assert {source: counts[f"read.{source}"] for source in READ} == {source: written[source] for source in READ}
    refused = sum(rows for name, rows in counts.items() if name.startswith("refused.") and name.count(".") == 1)
    assert counts["read.enrolments"] == refused + counts["computed.enrolments"] + counts["counted.inactive_enrolment"]
    own = world.names_of(CLEAN)
    course, context = own["course"], f"cb:{own['batch']}"
    first = rows[Place(LEARNERS, ("Course", course, own["learners"][0], context))]
    assert FIRST.items() <= first.items()
    counted = rows[Place(ACTIVITIES, ("Course", course, context))]
    assert (counted["enrolledCount"], counted["startedCount"], counted["completedCount"]) == (3, 2, 1)


def is_within_its_definition(name: str, value: float) -> bool:
    """Percentages are from 0 to 100, counts are whole and not below 0, and all are finite."""
    if name.endswith("Percentage"):
        return 0 <= value <= 100
    if name.endswith(("Count", "completed", "certified")) or name.startswith("attempts_count:"):
        return value >= 0 and value.is_integer()
    return abs(value) <= LATEST_DATE_MS
