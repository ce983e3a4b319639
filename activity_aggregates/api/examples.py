"""Examples of requests and answers, for the OpenAPI document. The tests ask the requests."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from activity_aggregates.api.bodies import ActivityBody, ContextBody, EarlierActivityBody, GroupBody, LearnerBody
from activity_aggregates.api.edge.envelope import API_IDS, OTHER

GROUP, COURSE, BATCH, LEARNER = "cef3dc0b", "do_31289", "cb:0130", "5a5ab4e3"
CHANGED = 1767225600000  # 2026-01-01
OF_COURSE = {"activityId": COURSE, "activityType": "Course"}

Example = dict[str, Any]


def _metric(name: str, value: float) -> Example:
    return {"metric": name, "value": value, "lastUpdatedOn": CHANGED}


METADATA = {"name": "Algebra", "leafNodesCount": 3}
AGG = [_metric("completedCount", 2), _metric("completionPercentage", 66.66)]

REQUESTS: dict[type[BaseModel], dict[str, Example]] = {
    GroupBody: {
        "everything": {"groupId": GROUP},
        "filtered": {
            "groupId": GROUP,
            "activities": [{"id": COURSE, "type": "Course"}],
            "fields": ["agg", "completionPercentage"],
        },
    },
    ActivityBody: {
        "everything": {"groupId": GROUP, **OF_COURSE},
        "paged": {"groupId": GROUP, **OF_COURSE, "fields": ["members", "completedCount"], "limit": 50},
    },
    EarlierActivityBody: {"everything": {"groupId": GROUP, **OF_COURSE}},
    ContextBody: {
        "everything": {**OF_COURSE, "contextId": BATCH},
        "january": {**OF_COURSE, "contextId": BATCH, "from": "2026-01-01", "to": "2026-01-31", "fields": ["days"]},
    },
    LearnerBody: {
        "everything": {"userId": LEARNER, **OF_COURSE},
        "one context": {"userId": LEARNER, **OF_COURSE, "contextId": BATCH},
    },
}
RESULTS: dict[type[BaseModel], Example] = {
    GroupBody: {"groupId": GROUP, "activity": [{"id": COURSE, "type": "Course", **METADATA, "agg": AGG}]},
    ActivityBody: {
        "groupId": GROUP,
        "activity": {
            "id": COURSE,
            "type": "Course",
            "metadata": METADATA,
            "agg": AGG,
            "members": [{"id": LEARNER, "name": "Asha Bose", "role": "member", "agg": AGG}],
        },
    },
    EarlierActivityBody: {
        "groupId": GROUP,
        "activity": {"id": COURSE, "type": "Course", "agg": [_metric("enrolmentCount", 1)]},
        "members": [
            {
                "name": "Asha Bose",
                "userId": LEARNER,
                "role": "member",
                "status": "active",
                "createdBy": "0c9f3e2a",
                "agg": AGG,
            }
        ],
    },
    ContextBody: {
        "activity": {
            "id": COURSE,
            "type": "Course",
            "contextId": BATCH,
            "metadata": METADATA,
            "agg": AGG,
            "days": [{"day": "2026-01-31", "agg": [_metric("enrolledCount", 12)]}],
        }
    },
    LearnerBody: {
        "userId": LEARNER,
        "activity": {
            "id": COURSE,
            "type": "Course",
            "metadata": METADATA,
            "contexts": [{"contextId": BATCH, "agg": AGG}],
        },
    },
}


def envelope(
    path: str, result: Example, status: str = "success", err: str | None = None, errmsg: str | None = None
) -> Example:
    """An answer as it is sent; its id is that of the route."""
    return {
        "id": API_IDS.get(path, OTHER),
        "ver": "v1",
        "ts": "2026-01-05 08:30:00:025+0000",
        "params": {
            "resmsgid": "0f7d6c1e-6a0b-4f0e-9d9e-0d4f9a0a7c11",
            "msgid": "a1",
            "status": status,
            "err": err,
            "errmsg": errmsg,
        },
        "responseCode": "OK",
        "result": result,
    }
