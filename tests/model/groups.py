"""The members of the groups, each with the best of their rows."""

from collections import Counter, defaultdict

from tests.model.acceptance import Learning
from tests.model.numbers import percentage
from tests.model.rows import (
    CatalogKey,
    Group,
    GroupKey,
    GroupUserKey,
    Metrics,
    Place,
    Source,
    UserKey,
    is_blank,
)

ACTIVITY_TYPES = {"Course", "CourseUnit", "Quiz"}


def group_activities(groups: list[Group], counts: Counter[str]) -> set[GroupKey]:
    """The distinct activities of the active groups; those of other types are counted."""
    accepted = set()
    for group in groups:
        for activity in group.activities or [] if group.status == "active" else []:
            key = GroupKey(str(group.group_id), str(activity.get("type")), str(activity.get("id")))
            if any(is_blank(each) for each in (group.group_id, activity.get("type"), activity.get("id"))):
                counts["refused.groups.missing_key"] += 1
            elif key.activity_type in ACTIVITY_TYPES:
                accepted.add(key)
            else:
                counts["counted.unserved_group_activities"] += 1
    return accepted


def active_members(source: Source, counts: Counter[str]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = defaultdict(set)
    for member in source.group_members:
        if is_blank(member.group_id) or is_blank(member.user_id):
            counts["refused.group_members.missing_key"] += 1
        elif member.status == "active":
            members[str(member.group_id)].add(str(member.user_id))
    return members


def best_rows(rows: dict[UserKey, Metrics], group: GroupKey, members: set[str]) -> dict[str, Metrics]:
    """Of every member who has one, the best row for the activity."""
    found: dict[str, list[tuple[UserKey, Metrics]]] = defaultdict(list)
    for key, metrics in rows.items():
        if key[:2] == group[1:] and key.user_id in members:
            found[key.user_id].append((key, metrics))
    return {user: min(candidates, key=by_merit)[1] for user, candidates in found.items()}


def by_merit(candidate: tuple[UserKey, Metrics]) -> tuple[float, float, str]:
    key, metrics = candidate
    if key.activity_type == "Quiz":
        return (-metrics["scorePercentage"], -metrics["score"], key.context_id)
    return (-metrics["completed"], -metrics["completionPercentage"], key.context_id)


def enrolled_members(
    group: GroupKey, members: set[str], enrolments: dict[Place, Learning], catalog: dict[CatalogKey, str]
) -> set[str]:
    """Members with an active enrolment in the course to which the activity belongs in that context."""
    return {
        place.user_id
        for place, learning in enrolments.items()
        if learning.is_active
        and place.user_id in members
        and catalog.get(CatalogKey(place.context_id, group.activity_type, group.activity_id)) == place.course_id
    }


def group_rows(
    source: Source,
    rows: dict[UserKey, Metrics],
    enrolments: dict[Place, Learning],
    catalog: dict[CatalogKey, str],
    counts: Counter[str],
) -> tuple[dict[GroupKey, Metrics], dict[GroupUserKey, Metrics]]:
    all_members = active_members(source, counts)
    of_groups: dict[GroupKey, Metrics] = {}
    of_members: dict[GroupUserKey, Metrics] = {}
    for group in group_activities(source.groups, counts):
        members = all_members[group.group_id]
        best = best_rows(rows, group, members)
        of_members |= {GroupUserKey(*group, user): metrics for user, metrics in best.items()}
        enrolled = len(enrolled_members(group, members, enrolments, catalog))
        completed = sum(group.activity_type == "Quiz" or metrics["completed"] == 1 for metrics in best.values())
        of_groups[group] = {
            "memberCount": len(members),
            "enrolledCount": enrolled,
            "completedCount": completed,
            "completionPercentage": percentage(completed, enrolled, of_nothing=0),
        }
    return of_groups, of_members
