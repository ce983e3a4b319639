"""The shapes of the answers, for the OpenAPI document; the answers themselves are plain dictionaries."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Result = TypeVar("Result")


class Params(BaseModel):
    """Whether the request succeeded, and if not, why."""

    resmsgid: Annotated[str, Field(description="New in each answer; the log of the API has it too.")]
    msgid: Annotated[str | None, Field(description="As sent, in the body or as X-msgid.", max_length=64)]
    status: Literal["success", "failed"]
    err: str | None
    errmsg: str | None


class Envelope(BaseModel, Generic[Result]):
    """What every answer comes in."""

    id: str
    ver: Literal["v1"]
    ts: Annotated[str, Field(examples=["2026-01-05 08:30:00:025+0000"])]
    params: Params
    responseCode: str  # noqa: N815
    result: Result


class Nothing(BaseModel):
    """The result of a request that was refused."""

    model_config = ConfigDict(extra="forbid")


class Metric(BaseModel):
    """One number."""

    metric: Annotated[str, Field(examples=["completedCount"])]
    value: float
    lastUpdatedOn: Annotated[int | None, Field(description="Epoch milliseconds of its last change.")]  # noqa: N815


# Texts, and numbers where an entry is known to be one: leafNodesCount.
Metadata = dict[str, str | int]


class GroupActivity(BaseModel):
    """An activity with its metadata (name, status, leafNodesCount …) beside id, type and agg."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str
    agg: list[Metric] = []


class GroupResult(BaseModel):
    """A group's activities."""

    groupId: str  # noqa: N815
    activity: list[GroupActivity]


class MemberAggregates(BaseModel):
    """An active member with the attributes of the user that are configured; agg is empty for who is not enrolled."""

    model_config = ConfigDict(extra="allow")

    id: str
    role: str | None
    agg: list[Metric]


class ActivityAggregates(BaseModel):
    """An activity with a page of members; without `next` it is the last page."""

    id: str
    type: str
    metadata: Metadata = {}
    agg: list[Metric] = []
    members: list[MemberAggregates] = []
    next: str | None = None


class ActivityResult(BaseModel):
    """One activity of a group."""

    groupId: str  # noqa: N815
    activity: ActivityAggregates


class EarlierMember(BaseModel):
    """A member with a row; `name` is empty where there is none."""

    model_config = ConfigDict(extra="allow")

    name: str
    userId: str  # noqa: N815
    role: str | None
    status: Literal["active"]
    createdBy: str | None  # noqa: N815
    agg: list[Metric]


class EarlierActivity(BaseModel):
    """The activity as it was asked for, with the one metric `enrolmentCount`."""

    id: str
    type: str
    agg: list[Metric]


class EarlierActivityResult(BaseModel):
    """One activity of a group in the shape of the earlier service."""

    groupId: str  # noqa: N815
    activity: EarlierActivity
    members: list[EarlierMember]


class Day(BaseModel):
    """One day that has any metric."""

    day: Annotated[str, Field(examples=["2026-01-31"])]
    agg: list[Metric]


class ContextActivity(BaseModel):
    """An activity in one context; its days are sorted, oldest first."""

    id: str
    type: str
    contextId: str  # noqa: N815
    metadata: Metadata = {}
    agg: list[Metric] = []
    days: list[Day] = []


class ContextResult(BaseModel):
    """One activity in one context."""

    activity: ContextActivity


class LearnerContext(BaseModel):
    """A learner's row in one context."""

    contextId: str  # noqa: N815
    agg: list[Metric]


class LearnerActivity(BaseModel):
    """An activity with a learner's rows, sorted by context; none of who has not begun it."""

    id: str
    type: str
    metadata: Metadata = {}
    contexts: list[LearnerContext] = []


class LearnerResult(BaseModel):
    """One learner in one activity."""

    userId: str  # noqa: N815
    activity: LearnerActivity


class DescribedMetric(BaseModel):
    """What a metric is called and what it means; `tables` are those whose rows have it."""

    name: str
    family: str
    unit: str
    meaning: str
    tables: list[str]


class Metrics(BaseModel):
    """Every metric that is computed."""

    metrics: list[DescribedMetric]


class Health(BaseModel):
    """Whether the server is well."""

    healthy: bool


GroupAnswer = Envelope[GroupResult]
ActivityAnswer = Envelope[ActivityResult]
EarlierActivityAnswer = Envelope[EarlierActivityResult]
ContextAnswer = Envelope[ContextResult]
LearnerAnswer = Envelope[LearnerResult]
MetricsAnswer = Envelope[Metrics]
HealthAnswer = Envelope[Health]
FailureAnswer = Envelope[Nothing]
