"""The groups: their members, each with the best of their rows, and quizzes that were held in a group itself."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from tests.model.acceptance import GroupAttempts
from tests.model.activities import further_sums, reached, started, summary
from tests.model.numbers import dates, last_attempted_on, percentage, quiz_numbers
from tests.model.rows import Group, Metrics, Settings, Source, is_unusable
from tests.model.tables import SERVED_TYPES, ActivityKey, CatalogKey, GroupKey, GroupUserKey, UserKey

Members = dict[str, set[str]]
GroupRows = tuple[dict[GroupKey, Metrics], dict[GroupUserKey, Metrics]]


class Candidate(NamedTuple):
    """A row of a member that may be the best."""

    key: UserKey
    metrics: Metrics


def group_activities(groups: list[Group], settings: Settings, counts: Counter[str]) -> set[GroupKey]:
    """The distinct activities of the active groups, by the type as listed; those of types not served are counted."""
    accepted = set()
    for group in groups:
        for activity in group.activities or [] if group.status == "active" else []:
            key = GroupKey(str(group.group_id), str(activity.get("type")), str(activity.get("id")))
            if any(is_unusable(each) for each in (group.group_id, activity.get("type"), activity.get("id"))):
                counts["refused.groups.missing_key"] += 1
            elif meant_type(key, settings) in SERVED_TYPES:
                accepted.add(key)
            else:
                counts["counted.unserved_group_activities"] += 1
    return accepted


def meant_type(group: GroupKey, settings: Settings) -> str:
    return "Course" if settings.means_course(group.activity_type) else group.activity_type


def active_members(source: Source, counts: Counter[str]) -> Members:
    members: Members = defaultdict(set)
    for member in source.group_members:
        if is_unusable(member.group_id) or is_unusable(member.user_id):
            counts["refused.group_members.missing_key"] += 1
        elif member.status == "active":
            members[str(member.group_id)].add(str(member.user_id))
    return members


@dataclass(frozen=True)
class Groups:
    """The rows of learners as the run leaves them and, for what others keep in them, as it found them."""

    learner_rows: dict[UserKey, Metrics]
    catalog: dict[CatalogKey, str]
    members: Members
    held: GroupAttempts
    settings: Settings
    before: dict[UserKey, Metrics]

    def rows(self, activities: set[GroupKey]) -> GroupRows:
        of_groups: dict[GroupKey, Metrics] = {}
        of_members: dict[GroupUserKey, Metrics] = {}
        for group in activities:
            best = self._best_rows(group)
            of_members |= {GroupUserKey(*group, user): self._shown(candidate) for user, candidate in best.items()}
            of_groups[group] = self._sums(group, {user: candidate.metrics for user, candidate in best.items()})
        return of_groups, of_members

    def _shown(self, best: Candidate) -> Metrics:
        """The best row's metrics, with the entries of others that are taken along."""
        stored = self.before.get(best.key, {})
        return best.metrics | {name: stored[name] for name in self.settings.carry if name in stored}

    def _best_rows(self, group: GroupKey) -> dict[str, Candidate]:
        """Of every member who has one, the best row for the activity."""
        found: dict[str, list[Candidate]] = defaultdict(list)
        for key, metrics in self.learner_rows.items():
            if key.user_id in self.members[group.group_id] and self._serves(key, group):
                found[key.user_id].append(Candidate(key, metrics))
        return {user: min(candidates, key=by_merit) for user, candidates in found.items()}

    def _serves(self, key: UserKey, group: GroupKey) -> bool:
        """Rows of the type that is meant; of a course also where it is nested; never those of another group."""
        is_elsewhere = key.context_id.startswith("g:") and key.context_id != f"g:{group.group_id}"
        meant = meant_type(group, self.settings)
        types = ("Course", "CourseUnit") if meant == "Course" else (meant,)
        return key.activity_id == group.activity_id and key.activity_type in types and not is_elsewhere

    def _sums(self, group: GroupKey, best: dict[str, Metrics]) -> Metrics:
        meant, rows = meant_type(group, self.settings), list(best.values())
        enrolled = self._enrolled(group, len(best))
        completed = len(rows) if meant == "Quiz" else sum(row["completed"] == 1 for row in rows)
        sums: Metrics = {
            "memberCount": len(self.members[group.group_id]),
            "enrolledCount": enrolled,
            "completedCount": completed,
            "completionPercentage": percentage(completed, enrolled, of_nothing=0),
        }
        if "groups" in self.settings.families:
            share = "scorePercentage" if meant == "Quiz" else "completionPercentage"
            sums["startedCount"] = len(rows) if meant == "Quiz" else started(rows)
            sums |= reached(rows, share) | further_sums(meant, rows, self.settings)
        return sums

    def _enrolled(self, group: GroupKey, with_rows: int) -> int:
        """Members with a row of a course itself; of a unit or a quiz, with one of the course that owns it."""
        meant, members = meant_type(group, self.settings), self.members[group.group_id]
        if meant == "Course":
            return with_rows
        if meant == "Quiz" and group.activity_id in self.held.get(group.group_id, {}):
            return len(members)
        return len(
            {
                key.user_id
                for key in self.learner_rows
                if key.activity_type == "Course"
                and key.user_id in members
                and self.catalog.get(CatalogKey(key.context_id, meant, group.activity_id)) == key.activity_id
            }
        )


def by_merit(candidate: Candidate) -> tuple[float, float, str, bool]:
    key, metrics = candidate
    if key.activity_type == "Quiz":
        return (-metrics["scorePercentage"], -metrics["score"], key.context_id, False)
    is_nested = key.activity_type == "CourseUnit"
    return (-metrics["completed"], -metrics["completionPercentage"], key.context_id, is_nested)


def held_quizzes(
    held: GroupAttempts, members: Members, settings: Settings
) -> tuple[dict[UserKey, Metrics], dict[ActivityKey, Metrics]]:
    """The rows of quizzes that were held in groups: of the active members, and of each quiz in its group."""
    of_learners: dict[UserKey, Metrics] = {}
    of_activities: dict[ActivityKey, Metrics] = {}
    for group, quizzes in held.items():
        for quiz, by_user in quizzes.items():
            key = ActivityKey("Quiz", quiz, f"g:{group}")
            rows = {}
            for user, taken in by_user.items():
                if user in members[group]:
                    dated = dates(lastActiveOn=last_attempted_on(taken)) if "dates" in settings.families else {}
                    rows[user] = quiz_numbers(taken) | dated
            of_learners |= {UserKey("Quiz", quiz, user, key.context_id): metrics for user, metrics in rows.items()}
            of_activities[key] = summary("Quiz", list(rows.values()), len(members[group]), 0, settings)
    return of_learners, of_activities
