"""Reading the record of a backfill: what it says, and a sentence for every mistake in it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from activity_aggregates.errors import BadRequest
from activity_aggregates.request.backfills import Backfill, Window, read_backfill
from activity_aggregates.request.scope import Scope

SCOPE = 'scope: {activities: [Course:c1, q1], contexts: ["cb:b1"], users: [u1]}'
WINDOW = "window: {from: 2026-01-01, to: 2026-01-02T12:00:00+02:00}"
RIGHT = f"""
reason: The scores were corrected.
owner: data@example.org
{SCOPE}
{WINDOW}
rows_per_second: 100
status: approved
"""


def read(folder: Path, text: str) -> Backfill:
    file = folder / "2026-01-03-scores.yaml"
    file.write_text(text, "utf-8")
    return read_backfill(file)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadRequest) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder / '2026-01-03-scores.yaml'}: ") for line in str(caught.value).splitlines()]


def test_a_record_is_read_with_its_name_and_its_instants(tmp_path: Path) -> None:
    found = read(tmp_path, RIGHT)
    assert found.name == "2026-01-03-scores"
    assert found.scope == Scope.parse(["Course:c1", "q1"], ["cb:b1"], [], ["u1"])
    assert found.window == Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, 10, tzinfo=UTC))
    assert (found.rows_per_second, found.status) == (100, "approved")


def test_the_ledger_knows_a_record_by_what_was_reviewed_and_not_by_its_status(tmp_path: Path) -> None:
    approved, proposed = read(tmp_path, RIGHT), read(tmp_path, RIGHT.replace("approved", "proposed"))
    assert approved.command == proposed.command
    assert approved.command.startswith("backfill 2026-01-03-scores@")
    assert read(tmp_path, RIGHT.replace("u1", "u2")).command != approved.command


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """
    reasons: none
    owner: " "
    scope: {activities: ["Lesson:l1"], contexts: [b1, 7], user: [u1], groups: g1}
    window: {from: 2026-02-01, until: 2026-01-01, to: 2026-01-01T00:00:00}
    rows_per_second: 0.5
    status: finished
    """
    assert mistakes(tmp_path, text) == [
        "reasons is not a key of a backfill; the nearest is reason",
        "reason is missing: say in a sentence why it is needed",
        "owner cannot be ' ': name who answers for it",
        "status cannot be 'finished': write proposed, approved or done",
        "rows_per_second cannot be 0.5: give a whole number above 0, or leave it out",
        "scope.user is not a key of a backfill; the nearest is scope.users",
        "scope.activities 'Lesson:l1' is of no known type: write Course, CourseUnit, Quiz before the colon",
        "scope.contexts 'b1' is not a context: write cb:<batch id>, or g:<group id>",
        "scope.contexts has 7, which is not a text: write it in quotes",
        "scope.groups cannot be 'g1': write a list of ids",
        "window.until is not a key of a backfill; it may be from, to",
        "window.to: '2026-01-01T00:00:00' has no offset from UTC: write 2026-01-01T00:00:00Z if it is in UTC",
    ]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("scope: {", "scope: {} #", "scope names nothing: list activities, contexts, groups, users, at least one of"),
        ("to: 2026-01-02T", "to: 2025-01-02T", "window.from 2026-01-01T00:00:00+00:00 is not before window.to 2025-"),
        ("{from: 2026-01-01, to: 2026-01-02T12:00:00+02:00}", "{}", "window is open on both sides: give from, to or"),
        (SCOPE, "scope: {groups: [g1]}", "window tells contexts apart and groups have none"),
        (SCOPE, "scope: {contexts: ['g:g1']}", "window tells contexts apart and groups have none"),
        (f"{SCOPE}\n{WINDOW}", "scope: {groups: [g1], users: [u1]}", "scope names groups and something else: write a"),
        ("users: [u1]", "users: ['']", "scope.users '' names nothing: give an id"),
        ("scope: {", "scope: [] #", "scope cannot be []: list activities"),
        ("status: approved", "", "status is missing: write proposed, approved or done"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    assert before in RIGHT
    (told,) = mistakes(tmp_path, RIGHT.replace(before, after))
    assert told.startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", "is not a backfill"),
        ("{", "is not YAML in line"),
        ("status: proposed\nowner: a\nstatus: approved", "the key status is given twice, in lines 1 and 3"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (told,) = mistakes(tmp_path, text)
    assert sentence in told


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"nowhere\.yaml cannot be read \(No such file or directory\)"):
        read_backfill(tmp_path / "nowhere.yaml")


def test_the_example_is_right_and_writes_nothing() -> None:
    examples = Path(str(files("conf") / "backfills")).glob("*.yaml")
    assert [(found.name, found.status) for found in map(read_backfill, examples)] == [
        ("2026-01-15-example", "proposed")
    ]
