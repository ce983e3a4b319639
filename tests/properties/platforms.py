"""A small platform, and what happens on it: rows of its source tables, ids that collide on purpose."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.model.deployed import Deployed, key_columns
from tests.properties.operations import Operation, delete, load, write
from tests.properties.trees import LEAVES, UNITS, Tree, changed, course_tree, leaves_of, named, shared, units_of

USERS = ("a", "b", "c", "d", "e", "f")
COURSES = ("a", "b", "c", "d")
BATCHES = ("a", "b", "c")
GROUPS = ("a", "b")
QUIZZES = ("p", "q", "k", "out")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
BEYOND_RANGE = 1_764_144_000_000_000_000  # nanoseconds, taken for milliseconds
BROKEN = ("{not json", '{"children": []}', " ", '{"mimeType": "application/vnd.ekstep.content-collection"}')
Row = dict[str, Any]


class Platform:
    """Its rows as they are, under names of its own: `name` stands before every id but those of contents."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.chance = chance
        self.has_odd_dates = chance.random() < 0.03  # which every run over it reads more slowly
        self.rows = Deployed()
        self.trees: dict[str, Tree] = {}  # of the courses that are live
        self.users = [self.id(user) for user in USERS[: chance.randint(3, len(USERS))]]
        self.courses = [self.id(course) for course in COURSES[: chance.randint(2, len(COURSES))]]
        self.batches = [self.id(batch) for batch in BATCHES[: chance.randint(2, len(BATCHES))]]
        self.units = [*UNITS, *self.courses]  # courses are nested in courses
        self.erased: set[str] = set()
        self.groups = [self.id(group) for group in GROUPS[: chance.randint(1, len(GROUPS))]]

    def id(self, name: str) -> str:
        return f"{self.name}{name}"

    def begin(self) -> list[Operation]:
        """All that is there before the first run."""
        operations = [operation for course in self.courses for operation in self.publish(course)]
        for happens, least, most in (
            (self.enrol, 5, 9), (self.progress, 5, 10), (self.attempt, 2, 5), (self.member, 2, 5),
            (self.group_attempt, 0, 3), (self.timespent, 0, 3),
        ):  # fmt: skip
            for _ in range(self.chance.randint(least, most)):
                operations += happens()
        for group in self.groups:
            operations += self.list_activities(group)
        return operations

    def go_on(self, chance_of_foreign_writers: float = 0.0) -> list[Operation]:
        """One to three things happen."""
        operations = []
        for _ in range(self.chance.choice([1, 1, 2, 3])):
            if self.chance.random() < chance_of_foreign_writers:
                operations += self.own_entry_overwritten()
            else:
                operations += self.chance.choices(*zip(*self._happenings(), strict=True))[0]()
        return operations

    def _happenings(self) -> list[tuple[Callable[[], list[Operation]], int]]:
        return [
            (self.progress, 8),
            (self.enrol, 6),
            (self.attempt, 4),
            (self.republish, 5),
            (self.share, 4),
            (self.break_or_retire, 3),
            (self.mend, 3),
            (self.forget, 4),
            (self.member, 2),
            (lambda: self.list_activities(self.chance.choice(self.groups)), 2),
            (self.group_status, 1),
            (self.group_attempt, 2),
            (self.timespent, 2),
            (self.foreign_entry, 2),
        ]

    # What happens, each as the operations that write it.

    def enrol(self) -> list[Operation]:
        """A new enrolment, or another state of one."""
        row = self._place() if self.chance.random() < 0.7 else self._enrolled() or self._place()
        row["active"] = self.chance.choice([True, True, True, None, False])
        row["status"] = self.chance.choice([0, 1, 1, 2, None, 9] if self.chance.random() < 0.2 else [0, 1, 1, 2])
        row["completedon"] = self.chance.choice([None, None, None, self.date()])
        row["enrolled_date"] = BEYOND_RANGE if self.has_odd_dates and self.chance.random() < 0.1 else self.date()
        if self.chance.random() < 0.3:
            row["issued_certificates"] = self.chance.choice([[], [{"name": "merit"}]])
        return self._loaded("user_enrolments", row)

    def progress(self) -> list[Operation]:
        """Some contents; whoever writes progress touches the enrolment, as the platform's own writers do."""
        place = self._enrolled()
        if not place:
            return self.enrol()
        known = self.trees.get(place["courseid"])
        contents = leaves_of(known) if known else list(LEAVES)
        rows = [
            place | {"contentid": content, "status": self.chance.choice([0, 1, 2, 2]), "last_access_time": self.date()}
            for content in self.chance.sample(contents, k=min(len(contents), self.chance.randint(1, 3)))
        ]
        touched = place | {"lastcontentaccesstime": self.date()}
        return [*self._loaded("user_content_consumption", *rows), *self._loaded("user_enrolments", touched)]

    def attempt(self) -> list[Operation]:
        place = self._enrolled()
        if not place:
            return self.enrol()
        key = {"course_id": place["courseid"], "batch_id": place["batchid"], "user_id": place["userid"]}
        return self._loaded("assessment_aggregator", key | self._taken())

    def group_attempt(self) -> list[Operation]:
        key = {"group_id": self.chance.choice(self.groups), "user_id": self.chance.choice(self.users)}
        return self._loaded("group_attempts", key | self._taken())

    def _taken(self) -> Row:
        maximum = self.chance.choice([3.0, 4.0, 7.0])
        score = self.chance.choice([None, maximum, 1.0, 2.0, 0.5, 0.29])
        quiz, attempt = self.chance.choice(QUIZZES), self.chance.choice(["t1", "t2"])
        return {
            "content_id": quiz, "attempt_id": attempt, "total_score": score, "total_max_score": maximum,
            "last_attempted_on": self.chance.choice([self.date(), None]),
        }  # fmt: skip

    def timespent(self) -> list[Operation]:
        place = self._enrolled() or self._place()
        key = {"user_id": place["userid"], "course_id": place["courseid"], "batch_id": place["batchid"]}
        return self._loaded("timespent", key | {"seconds": self.chance.choice([0.25, 30.5, 61.0, 3600.75, -1.0])})

    def publish(self, course: str) -> list[Operation]:
        return self._published(course, course_tree(self.chance, course, self.units))

    def republish(self) -> list[Operation]:
        course = self.chance.choice(self.courses)
        tree = self.trees.get(course)
        return self._published(course, changed(self.chance, tree, self.units)) if tree else self.publish(course)

    def share(self) -> list[Operation]:
        """A unit of one course comes into another, and may leave the first."""
        if len(self.trees) < 2:
            return self.mend()
        giver, taker = self.chance.sample(sorted(self.trees), k=2)
        found = shared(self.chance, self.trees[giver], self.trees[taker], is_moved=self.chance.random() < 0.5)
        if not found:
            return self.republish()
        return [*self._published(giver, found[0]), *self._published(taker, found[1])]

    def break_or_retire(self) -> list[Operation]:
        course = self.chance.choice(self.courses)
        tree = self.trees.pop(course, None)
        what = self.chance.choice(["broken", "empty", "retired", "gone"])
        if what == "gone":
            return self._deleted("content_hierarchy", {"identifier": course})
        if what == "broken":
            text = self.chance.choice(BROKEN)
        elif what == "empty" or not tree:
            text = json.dumps({"identifier": course, "mimeType": "x", "children": []})
        else:
            text = json.dumps(tree | {"status": "Retired"})
        return self._loaded("content_hierarchy", {"identifier": course, "hierarchy": text})

    def mend(self) -> list[Operation]:
        unsettled = [course for course in self.courses if course not in self.trees]
        return self.publish(self.chance.choice(unsettled)) if unsettled else self.republish()

    def forget(self) -> list[Operation]:
        """Rows of a source are deleted."""
        table = self.chance.choice(
            ["user_enrolments", "user_enrolments", "user_content_consumption", "assessment_aggregator",
             "group_member", "group", "group_attempts", "timespent"]
        )  # fmt: skip
        rows = sorted(self.rows.tables[table].values(), key=str)
        if not rows:
            return []
        return self._deleted(table, *self.chance.sample(rows, k=min(len(rows), self.chance.choice([1, 1, 2]))))

    def member(self) -> list[Operation]:
        row = {"groupid": self.chance.choice(self.groups), "userid": self.chance.choice(self.users)}
        status = self.chance.choice(["active", "active", "active", "inactive"])
        return self._loaded("group_member", row | {"status": status, "role": "member"})

    def list_activities(self, group: str) -> list[Operation]:
        activities = [self._activity() for _ in range(self.chance.randint(1, 4))]
        return self._loaded("group", {"id": group, "status": "active", "activities": activities})

    def _activity(self) -> dict[str, str]:
        kind = self.chance.choice(["Course", "Course", "course", "TextBook", "CourseUnit", "Quiz", "Quiz"])
        if kind == "Quiz":
            return {"type": kind, "id": self.chance.choice(QUIZZES)}
        units = [unit for tree in self.trees.values() for unit in units_of(tree)]
        is_unit = kind == "CourseUnit" or (units and self.chance.random() < 0.3)
        return {"type": kind, "id": self.chance.choice(sorted(units) if is_unit and units else self.courses)}

    def group_status(self) -> list[Operation]:
        status = self.chance.choice(["active", "inactive"])
        return self._loaded("group", {"id": self.chance.choice(self.groups), "status": status})

    # What other writers of the target tables do. Rows are those of enrolments, which are likely to be there.

    def foreign_entry(self) -> list[Operation]:
        place = self._enrolled()
        return [write("activity_user_agg", self._learner_row(place) | {"agg": {"foreign": 7.0}})] if place else []

    def own_entry_overwritten(self) -> list[Operation]:
        place = self._enrolled()
        if not place:
            return []
        if self.chance.random() < 0.5:
            entry = {
                self.chance.choice(["completed", "completedCount", "startedCount"]): self.chance.choice([0.0, 5.0])
            }
            return [write("activity_user_agg", self._learner_row(place) | {"agg": entry})]
        entry = {
            self.chance.choice(["enrolledCount", "startedCount", "completedCount"]): self.chance.choice([-1.0, 9.0])
        }
        row = {"activity_type": "Course", "activity_id": place["courseid"], "context_id": f"cb:{place['batchid']}"}
        return [write("activity_agg", row | {"agg": entry})]

    def _learner_row(self, place: Row) -> Row:
        return {
            "activity_type": "Course", "activity_id": place["courseid"], "user_id": place["userid"],
            "context_id": f"cb:{place['batchid']}",
        }  # fmt: skip

    # What a run may be asked to look at: all of it is in the sources.

    def enrolments(self) -> list[Row]:
        """The keys of those whose learner was not erased."""
        return [
            {column: row[column] for column in key_columns("user_enrolments")}
            for row in self.rows.tables["user_enrolments"].values()
            if row["userid"] not in self.erased
        ]

    def erase(self, learners: Sequence[str]) -> None:
        """The learners stay in the sources, whose rows may go on changing."""
        self.erased |= {*learners}

    def learners(self) -> list[str]:
        return sorted({row["userid"] for row in self.enrolments()})

    def contexts(self) -> list[str]:
        return sorted({f"cb:{row['batchid']}" for row in self.enrolments()})

    def activities(self) -> list[str]:
        courses = sorted({row["courseid"] for row in self.enrolments()})
        units = [unit for course in courses if course in self.trees for unit in units_of(self.trees[course])]
        return [*(f"Course:{course}" for course in courses), *(f"CourseUnit:{unit}" for unit in units)]

    def known_groups(self) -> list[str]:
        return sorted(row["id"] for row in self.rows.tables["group"].values())

    # What all of them need.

    def date(self) -> str:
        moment = BEGINNING + timedelta(hours=self.chance.randrange(0, 24 * 5))
        return moment.isoformat().replace("+00:00", "Z")

    def _place(self) -> Row:
        return {
            "userid": self.chance.choice(self.users), "courseid": self.chance.choice(self.courses),
            "batchid": self.chance.choice(self.batches),
        }  # fmt: skip

    def _enrolled(self) -> Row | None:
        places = self.enrolments()
        return self.chance.choice(places) if places else None

    def _published(self, course: str, tree: Tree) -> list[Operation]:
        self.trees[course] = tree
        return self._loaded("content_hierarchy", {"identifier": course, "hierarchy": json.dumps(named(tree, course))})

    def _loaded(self, table: str, *rows: Row) -> list[Operation]:
        self.rows.load(table, rows)
        return [load(table, *rows)]

    def _deleted(self, table: str, *rows: Row) -> list[Operation]:
        self.rows.delete(table, rows)
        return [delete(table, *({column: row[column] for column in key_columns(table)} for row in rows))]
