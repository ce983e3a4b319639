"""The target tables as dictionaries, and which of their entries are the job's own."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.model.rows import Metrics, Settings


class UserKey(NamedTuple):
    activity_type: str
    activity_id: str
    user_id: str
    context_id: str


class ActivityKey(NamedTuple):
    activity_type: str
    activity_id: str
    context_id: str


class DayKey(NamedTuple):
    activity_type: str
    activity_id: str
    context_id: str
    day: str


class CatalogKey(NamedTuple):
    context_id: str
    activity_type: str
    activity_id: str


class GroupKey(NamedTuple):
    group_id: str
    activity_type: str
    activity_id: str


class GroupUserKey(NamedTuple):
    group_id: str
    activity_type: str
    activity_id: str
    user_id: str


@dataclass(frozen=True)
class Tables:
    """The target tables, row by row, and what was refused or counted on the way (0 where nothing was)."""

    activity_user_agg: dict[UserKey, Metrics] = field(default_factory=dict)
    activity_agg: dict[ActivityKey, Metrics] = field(default_factory=dict)
    group_activity_agg: dict[GroupKey, Metrics] = field(default_factory=dict)
    group_activity_user_agg: dict[GroupUserKey, Metrics] = field(default_factory=dict)
    activity_day_agg: dict[DayKey, Metrics] = field(default_factory=dict)
    activity_catalog: dict[CatalogKey, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter, compare=False)


KEYS: dict[str, type[Any]] = {
    "activity_user_agg": UserKey,
    "activity_agg": ActivityKey,
    "group_activity_agg": GroupKey,
    "group_activity_user_agg": GroupUserKey,
    "activity_day_agg": DayKey,
}
CATALOG = "activity_catalog"
OF_GROUPS = ("group_activity_agg", "group_activity_user_agg")
SERVED_TYPES = ("Course", "CourseUnit", "Quiz")
SERVED_CONTEXTS = ("cb:", "g:")
BY_QUIZ = ("score:", "max_score:", "attempts_count:")

_LEARNER = {
    "completion": "startedCount completedCount leafNodesCount completionPercentage completed "
    "score maxScore attemptsCount scorePercentage",
    "dates": "enrolledOn completedOn lastActiveOn",
    "certificates": "certified",
    "time": "timespent",
}
_ACTIVITY = {
    "completion": "enrolledCount startedCount completedCount completionPercentage leafNodesCount "
    "completedLeafNodesCount averageProgress reached25Count reached50Count reached75Count",
    "certificates": "certifiedCount",
    "scores": "attemptsCount scorePercentageSum averageScorePercentage",
    "time": "timespent timespentCount averageTimespent",
}
_OWN = {
    "activity_user_agg": _LEARNER,
    "group_activity_user_agg": _LEARNER,
    "activity_agg": _ACTIVITY,
    "activity_day_agg": {"dates": "enrolledCount completedCount lastActiveCount"},
    "group_activity_agg": {
        "completion": "memberCount enrolledCount completedCount completionPercentage",
        "groups": "startedCount reached25Count reached50Count reached75Count",
    },
}
_OF_GROUPS_TOO = ("certificates", "scores", "time")


def own_names(table: str, settings: Settings) -> set[str]:
    """The metrics that a run keeps up to date in the rows of a table."""
    names = {name for family, listed in _OWN[table].items() if family in settings.families for name in listed.split()}
    if table == "group_activity_agg" and "groups" in settings.families:
        names |= {name for family in settings.families & {*_OF_GROUPS_TOO} for name in _ACTIVITY[family].split()}
    return names | set(settings.carry if table == "group_activity_user_agg" else ())


def is_served(table: str, key: tuple[str, ...]) -> bool:
    """Whether a run looks at a row at all: of the groups at every one, else by its type and its context."""
    if table in OF_GROUPS:
        return True
    activity_type, context_id = (key[0], key[3]) if table == "activity_user_agg" else (key[0], key[2])
    return activity_type in SERVED_TYPES and context_id.startswith(SERVED_CONTEXTS)


def own_entries(table: str, key: tuple[str, ...], entries: Mapping[str, float], settings: Settings) -> Metrics:
    if not is_served(table, key):
        return {}
    names = own_names(table, settings)
    has_scores = settings.scores_in_course and table in ("activity_user_agg", "group_activity_user_agg")
    prefixes = BY_QUIZ if has_scores else ()
    return {name: value for name, value in entries.items() if name in names or name.startswith(prefixes)}


def own_rows(table: str, rows: Mapping[Any, Metrics], settings: Settings) -> dict[Any, Metrics]:
    """Rows with what is the job's own in them; those that have nothing of it are none of its rows."""
    found = {key: own_entries(table, key, entries, settings) for key, entries in rows.items()}
    return {key: entries for key, entries in found.items() if entries}


def own_tables(tables: Tables, settings: Settings) -> Tables:
    rows: dict[str, Any] = {table: own_rows(table, getattr(tables, table), settings) for table in KEYS}
    return replace(tables, **rows)


def with_foreign_entries(tables: Tables, before: Tables, settings: Settings) -> Tables:
    """What a run leaves: its rows, and in them and beside them what others had written."""
    merged: dict[str, Any] = {}
    for table in KEYS:
        rows = {key: dict(entries) for key, entries in getattr(tables, table).items()}
        for key, entries in getattr(before, table).items():
            own = own_entries(table, key, entries, settings)
            foreign = {name: value for name, value in entries.items() if name not in own}
            if foreign:
                rows[key] = foreign | rows.get(key, {})
        merged[table] = rows
    return replace(tables, **merged)


def differences(found: Tables, wanted: Tables) -> list[str]:
    """A sentence for every row in which two sets of tables differ."""
    return [
        f"{table} {' '.join(key)}: {_told_apart(ones.get(key), others.get(key))}"
        for table in (*KEYS, CATALOG)
        for ones, others in [(getattr(found, table), getattr(wanted, table))]
        for key in sorted({*ones, *others})
        if ones.get(key) != others.get(key)
    ]


def same_tables(found: Tables, wanted: Tables) -> bool:
    return not differences(found, wanted)


def _told_apart(found: Any, wanted: Any) -> str:
    if not (isinstance(found, Mapping) and isinstance(wanted, Mapping)):
        return f"expected {wanted}, found {found}"
    names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    return ", ".join(f"{name} expected {wanted.get(name)}, found {found.get(name)}" for name in names)
