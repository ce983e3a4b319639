"""The request bodies: their types, which OpenAPI shows, and which refusal a body that lacks something gets."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from activity_aggregates.api.edge import refusals
from activity_aggregates.api.edge.refusals import Refusal, Refused
from metrics.names import LONGEST_KEY

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_LISTED = 1000  # activities and fields of one request
LONGEST_TOKEN = 4096  # characters of a page's token, which holds an id

# Something other than blanks. A string is never made of a number, nor a number of a string.
Id = Annotated[str, Field(pattern=r"\S", max_length=LONGEST_KEY)]
Fields = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_KEY)]],
    Field(
        max_length=MOST_LISTED,
        description="Sections, metrics, entries of metadata and attributes of members to keep; of each kind all, where "
        "none of it is named. A name that is not known is refused with the nearest one.",
    ),
]


def _day(given: object) -> object:
    """The day that a text says; seconds since 1970 in a text would pass for one, too."""
    if not isinstance(given, str):
        return given
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        raise ValueError("it is not a day like 2026-01-31")
    return datetime.date.fromisoformat(given)


Day = Annotated[datetime.date, BeforeValidator(_day), Field(examples=["2026-01-31"])]


class _Body(BaseModel):
    """Unknown fields are ignored: clients of other versions send them."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    params: Annotated[
        Any,
        Field(description="Only `msgid` is looked at, text of at most 64 characters, and answered as `params.msgid`."),
    ] = None
    request: Any  # what each of them asks for


class _Part(BaseModel):
    model_config = _Body.model_config


class Activity(_Part):
    """An activity of a group."""

    id: Id
    type: Id


class GroupQuery(_Part):
    """Which group, and what of it."""

    groupId: Id  # noqa: N815
    activities: Annotated[
        list[Activity],
        Field(max_length=MOST_LISTED, description="Only these of the group's activities; empty: all."),
    ] = []
    fields: Fields = []


class ActivityQuery(_Part):
    """Which activity of which group, and what of it; `next` is a token from the page before."""

    groupId: Id  # noqa: N815
    activityId: Id  # noqa: N815
    activityType: Id  # noqa: N815
    fields: Fields = []
    limit: Annotated[int, Field(ge=1, description="How many members to list in one answer.")] | None = None
    next: (
        Annotated[str, Field(max_length=LONGEST_TOKEN, description="`activity.next` of the answer before.")] | None
    ) = None


class EarlierActivityQuery(_Part):
    """Which activity of which group, as clients of the earlier service ask; the activity is found by its id alone."""

    groupId: Id  # noqa: N815
    activityId: Id  # noqa: N815
    activityType: Id  # noqa: N815


class ContextQuery(_Part):
    """Which activity in which context, and which of its days, both ends among them; at most 400."""

    activityId: Id  # noqa: N815
    activityType: Id  # noqa: N815
    contextId: Annotated[Id, Field(examples=["cb:0130"])]  # noqa: N815
    first: Annotated[Day | None, Field(alias="from", description="Without it, the 400 days up to `to`.")] = None
    last: Annotated[
        Day | None, Field(alias="to", description="Without it, 400 days from `from`; without both, the newest 400.")
    ] = None
    fields: Fields = []


class LearnerQuery(_Part):
    """Whose rows of which activity; without a context those of all."""

    userId: Id  # noqa: N815
    activityId: Id  # noqa: N815
    activityType: Id  # noqa: N815
    contextId: Id | None = None  # noqa: N815
    fields: Fields = []


class GroupBody(_Body):
    """The body of /data/group/agg."""

    request: GroupQuery


class ActivityBody(_Body):
    """The body of /data/group/activity/agg."""

    request: ActivityQuery


class EarlierActivityBody(_Body):
    """The body of /v1/group/activity/agg."""

    request: EarlierActivityQuery


class ContextBody(_Body):
    """The body of /data/activity/agg."""

    request: ContextQuery


class LearnerBody(_Body):
    """The body of /data/activity/user/agg."""

    request: LearnerQuery


Body = TypeVar("Body", bound=_Body)
_NO_BODY = "The body has to be JSON with a request"

# `id` and `type` are those of an activity in a list. The order is the one in which they are told.
_MISSING: dict[str, Refusal] = {
    "groupId": refusals.GROUP_ID_MISSING,
    "userId": refusals.USER_ID_MISSING,
    "activityId": refusals.ACTIVITY_ID_MISSING,
    "id": refusals.ACTIVITY_ID_MISSING,
    "activityType": refusals.ACTIVITY_TYPE_MISSING,
    "type": refusals.ACTIVITY_TYPE_MISSING,
    "contextId": refusals.CONTEXT_ID_MISSING,
}
_IN_ORDER = list(_MISSING.values())


def read_json(raw: bytes) -> object:
    """What the bytes of a body say; raises Refused where they are not JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refused(refusals.invalid(f"{_NO_BODY}: {error}")) from error


def validated(model: type[Body], given: object) -> Body:
    """The body, or the refusal that it gets: what is wrong is told before what is missing.

    >>> validated(GroupBody, {"request": {"groupId": "g1", "unknown": 1}}).request.groupId
    'g1'
    >>> validated(GroupBody, {"request": {"groupId": 1}})
    Traceback (most recent call last):
    activity_aggregates.api.edge.refusals.Refused: request.groupId: Input should be a valid string
    >>> validated(ActivityBody, {"request": {"activityId": "c1", "activityType": " "}})
    Traceback (most recent call last):
    activity_aggregates.api.edge.refusals.Refused: GroupId is mandatory.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        mandatory = missing_ids(model)
        missing = [_missing(detail, mandatory) for detail in details]
        if None in missing:
            raise Refused(refusals.invalid(_sentence(details[missing.index(None)]))) from error
        raise Refused(min(filter(None, missing), key=_IN_ORDER.index)) from error


def missing_ids(model: type[BaseModel]) -> dict[str | int, Refusal]:
    """The refusals of a body that lacks an id, by what it lacks: of the query, and of the activities in its list.

    >>> [refusal.err for refusal in missing_ids(GroupBody).values()]
    ['GROUP_ID_MISSING', 'ACTIVITY_ID_MISSING', 'ACTIVITY_TYPE_MISSING']
    """
    fields = model.model_fields["request"].annotation.model_fields  # type: ignore[union-attr]
    asked = fields | (Activity.model_fields if "activities" in fields else {})
    return {name: refusal for name, refusal in _MISSING.items() if name in asked and asked[name].is_required()}


def _missing(detail: ErrorDetails, mandatory: Mapping[str | int, Refusal]) -> Refusal | None:
    """The refusal for what is mandatory and absent, null or blank; None where something else is wrong."""
    is_absent = detail["type"] in ("missing", "string_pattern_mismatch") or detail["input"] is None
    return mandatory.get(detail["loc"][-1]) if is_absent and detail["loc"] else None


def _sentence(detail: ErrorDetails) -> str:
    place = ".".join(map(str, detail["loc"]))
    return f"{place}: {detail['msg']}" if place else f"{_NO_BODY}: {detail['msg']}"
