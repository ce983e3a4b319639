"""The request bodies: their types, which OpenAPI shows, and which refusal a body that lacks something gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activity_aggregates.api import refusals
from activity_aggregates.api.edge.refusals import Refusal, Refused

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_ID_LENGTH = 512  # characters

# Something other than blanks. A string is never made of a number, nor a number of a string.
Id = Annotated[str, Field(pattern=r"\S", max_length=MAX_ID_LENGTH)]
Fields = Annotated[
    list[str],
    Field(description="Sections (metadata, agg, members) and metrics to keep; without it everything is answered."),
]


class _Body(BaseModel):
    """Unknown fields are ignored: clients of other versions send them."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Activity(_Body):
    """An activity of a group."""

    id: Id
    type: Id


class GroupQuery(_Body):
    """Which group, and what of it."""

    groupId: Id  # noqa: N815
    activities: Annotated[list[Activity], Field(description="Only these of the group's activities; empty: all.")] = []
    fields: Fields = []


class ActivityQuery(_Body):
    """Which activity of which group, and what of it; `next` is a token from the page before."""

    groupId: Id  # noqa: N815
    activityId: Id  # noqa: N815
    activityType: Id  # noqa: N815
    fields: Fields = []
    limit: Annotated[int, Field(ge=1, description="How many members to list in one answer.")] | None = None
    next: Annotated[str, Field(description="`activity.next` of the answer before.")] | None = None


class EarlierActivityQuery(_Body):
    """Which activity of which group, as clients of the earlier service ask."""

    groupId: Id  # noqa: N815
    activityId: Id  # noqa: N815
    activityType: Id  # noqa: N815


class GroupBody(_Body):
    """The body of /data/group/agg."""

    request: GroupQuery


class ActivityBody(_Body):
    """The body of /data/group/activity/agg."""

    request: ActivityQuery


class EarlierActivityBody(_Body):
    """The body of /v1/group/activity/agg."""

    request: EarlierActivityQuery


Body = TypeVar("Body", bound=BaseModel)

# `id` and `type` are those of an activity in a list. The order is the one in which they are told.
_MISSING: dict[int | str, Refusal] = {
    "groupId": refusals.GROUP_ID_MISSING,
    "activityId": refusals.ACTIVITY_ID_MISSING,
    "id": refusals.ACTIVITY_ID_MISSING,
    "activityType": refusals.ACTIVITY_TYPE_MISSING,
    "type": refusals.ACTIVITY_TYPE_MISSING,
}
_IN_ORDER = list(_MISSING.values())


def parsed(model: type[Body], raw: bytes) -> Body:
    """The body, or the refusal that it gets: what is wrong is told before what is missing.

    >>> parsed(GroupBody, b'{"request": {"groupId": "g1", "unknown": 1}}').request.groupId
    'g1'
    >>> parsed(GroupBody, b'{"request": {"groupId": 1}}')
    Traceback (most recent call last):
    activity_aggregates.api.edge.refusals.Refused: request.groupId: Input should be a valid string
    >>> parsed(ActivityBody, b'{"request": {"activityId": "c1", "activityType": " "}}')
    Traceback (most recent call last):
    activity_aggregates.api.edge.refusals.Refused: GroupId is mandatory.
    """
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        missing = [_missing(detail) for detail in details]
        if None in missing:
            raise Refused(refusals.invalid(_sentence(details[missing.index(None)]))) from error
        raise Refused(min(filter(None, missing), key=_IN_ORDER.index)) from error


def _missing(detail: ErrorDetails) -> Refusal | None:
    """The refusal for what is mandatory and absent, null or blank; None where something else is wrong."""
    is_absent = detail["type"] in ("missing", "string_pattern_mismatch") or detail["input"] is None
    return _MISSING.get(detail["loc"][-1]) if is_absent and detail["loc"] else None


def _sentence(detail: ErrorDetails) -> str:
    place = ".".join(map(str, detail["loc"]))
    return f"{place}: {detail['msg']}" if place else f"The body has to be JSON with a request: {detail['msg']}"
