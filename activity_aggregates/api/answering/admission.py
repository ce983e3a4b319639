"""Who may see what: decided before any aggregate is read, so that neither time nor load tells an outsider anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from activity_aggregates.api.answering.shapes import ActivityKey
from activity_aggregates.api.edge.refusals import FORBIDDEN, GROUP_NOT_FOUND, NOT_A_SERVICE, NOT_THE_LEARNER, Refused
from activity_aggregates.api.identity.tokens import Caller
from activity_aggregates.api.stored.reads import Reads
from activity_aggregates.api.stored.statements import Read
from metrics.names import ACTIVE


@dataclass(frozen=True)
class MemberScores:
    """Which members see the others' metrics: all of them, or those with one of the roles."""

    all: bool
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Admitted:
    """What a caller may see of a group: the activities that it lists, and whose metrics."""

    activities: list[ActivityKey]
    caller: Caller
    sees_everybody: bool

    def sees(self, user_id: str) -> bool:
        """Whether the metrics of a member are shown."""
        return self.sees_everybody or user_id == self.caller.user_id


def admitted(reads: Reads, caller: Caller, group_id: str, scores: MemberScores) -> Admitted:
    """What the caller may see of a group; raises FORBIDDEN, and to who may be told GROUP_NOT_FOUND.

    The group's row is read for who may be told of it alone: how long that takes tells how much it lists.
    """
    sees_everybody = scores.all or caller.is_service
    if not caller.is_service:
        member = reads.row(reads.start(Read.MEMBER, group_id, caller.user_id))
        if member is None or member[0] != ACTIVE or reads.erased.has(caller.user_id):
            raise Refused(FORBIDDEN)
        sees_everybody = sees_everybody or member[1] in scores.roles
    group = reads.row(reads.start(Read.GROUP, group_id))
    if group is None or group[0] != ACTIVE:
        raise Refused(GROUP_NOT_FOUND)
    return Admitted(group_activities(group[1] or []), caller, sees_everybody)


def demand_service(caller: Caller) -> None:
    if not caller.is_service:
        raise Refused(NOT_A_SERVICE)


def demand_service_or_learner(caller: Caller, user_id: str) -> None:
    if not caller.is_service and caller.user_id != user_id:
        raise Refused(NOT_THE_LEARNER)


def group_activities(listed: Iterable[Mapping[str, str]]) -> list[ActivityKey]:
    """What a group lists, a duplicate once; an entry with a blank id or type is none.

    >>> group_activities([{"id": "c1", "type": "Course"}, {"id": "c1", "type": "Course"}, {"id": " ", "type": "Quiz"}])
    [('Course', 'c1')]
    """
    named = [dict(activity.items()) for activity in listed]
    keys = [(activity.get("type") or "", activity.get("id") or "") for activity in named]
    return list(dict.fromkeys(key for key in keys if all(part.strip() for part in key)))
