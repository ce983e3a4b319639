"""What `verify --published` must find: counts that the published rows do not add up to, without any source."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from tests.model.numbers import average, day, percentage, printed
from tests.model.rows import Metrics, Settings
from tests.model.tables import SERVED_TYPES, ActivityKey, CatalogKey, GroupKey, Tables, own_tables

COLLECTIONS = ("Course", "CourseUnit")


class Sum(NamedTuple):
    """A metric of an activity, or of a group, that is added up from rows of learners."""

    name: str
    types: tuple[str, ...]
    family: str
    of_row: Callable[[Metrics], float]


def has(name: str) -> Callable[[Metrics], float]:
    return lambda row: float(name in row)


def value(name: str) -> Callable[[Metrics], float]:
    return lambda row: row.get(name, 0.0)


def is_at_least(least: float, name: str) -> Callable[[Metrics], float]:
    return lambda row: float(row.get(name, 0.0) >= least)


SUMS = (
    Sum("startedCount", COLLECTIONS, "completion", is_at_least(1, "startedCount")),
    Sum("startedCount", ("Quiz",), "completion", has("scorePercentage")),
    Sum("completedCount", COLLECTIONS, "completion", is_at_least(1, "completed")),
    Sum("completedCount", ("Quiz",), "completion", has("scorePercentage")),
    Sum("completedLeafNodesCount", COLLECTIONS, "completion", value("completedCount")),
    Sum("certifiedCount", ("Course",), "certificates", value("certified")),
    Sum("attemptsCount", ("Quiz",), "scores", value("attemptsCount")),
    Sum("scorePercentageSum", ("Quiz",), "scores", value("scorePercentage")),
    Sum("timespent", ("Course",), "time", value("timespent")),
    Sum("timespentCount", ("Course",), "time", has("timespent")),
    *(
        Sum(f"reached{least}Count", types, family, is_at_least(least, share))
        for least in (25, 50, 75)
        for types, family, share in (
            (COLLECTIONS, "completion", "completionPercentage"),
            (("Quiz",), "scores", "scorePercentage"),
        )
    ),
)
BASIC_IN_GROUPS = ("completedCount",)
NOT_IN_GROUPS = ("completedLeafNodesCount",)
OF_A_DAY = (("enrolledOn", "enrolledCount"), ("completedOn", "completedCount"), ("lastActiveOn", "lastActiveCount"))


def published_problems(tables: Tables, settings: Settings | None = None) -> list[str]:
    """A sentence for each count that differs from what the rows say; of families that are on."""
    settings = settings or Settings()
    own = own_tables(tables, settings)
    return [*activity_problems(own, settings), *day_problems(own, settings), *group_problems(own, settings)]


def activity_problems(tables: Tables, settings: Settings) -> Iterator[str]:
    rows: dict[ActivityKey, list[Metrics]] = defaultdict(list)
    for key, metrics in tables.activity_user_agg.items():
        rows[ActivityKey(key.activity_type, key.activity_id, key.context_id)].append(metrics)
    in_catalog = {ActivityKey(*key[1:], key[0]) for key in tables.activity_catalog}
    for activity in sorted({*rows, *tables.activity_agg, *in_catalog}):
        found = tables.activity_agg.get(activity)
        if found is None:
            yield f"activity_agg lacks {' '.join(activity)}"
            continue
        wanted: dict[str, float] = {
            each.name: total(each, rows[activity])
            for each in SUMS
            if activity.activity_type in each.types and each.family in settings.families
        }
        if activity.context_id.startswith("cb:"):
            course = tables.activity_catalog.get(CatalogKey(activity.context_id, *activity[:2]))
            wanted["enrolledCount"] = len(rows[ActivityKey("Course", str(course), activity.context_id)])
        enrolled = found.get("enrolledCount", -1)
        wanted |= derived(wanted | {"enrolledCount": enrolled}, found.get("leafNodesCount", 0), len(rows[activity]))
        yield from compared("activity_agg", activity, found, wanted)


def total(each: Sum, rows: list[Metrics]) -> float:
    return float(sum((printed(each.of_row(row)) for row in rows), Fraction(0)))


def derived(sums: Mapping[str, float], leaf_nodes: float, learners: int) -> Metrics:
    """What follows from counts, of those that there are."""
    enrolled, completed = int(sums["enrolledCount"]), int(sums["completedCount"])
    found: Metrics = {"completionPercentage": percentage(completed, enrolled, of_nothing=0)}
    if "completedLeafNodesCount" in sums:
        possible = enrolled * int(leaf_nodes)
        done = int(sums["completedLeafNodesCount"])
        found["averageProgress"] = percentage(done, possible, of_nothing=100 if enrolled else 0)
    if "scorePercentageSum" in sums:
        found["averageScorePercentage"] = average(printed(sums["scorePercentageSum"]), learners)
    if "timespentCount" in sums:
        found["averageTimespent"] = average(int(sums["timespent"]), int(sums["timespentCount"]))
    return found


def compared(table: str, key: tuple[str, ...], found: Mapping[str, float], wanted: Mapping[str, float]) -> list[str]:
    return [
        f"{table} {' '.join(key)}: {name} is {found.get(name)}, and its rows say {wanted[name]}"
        for name in sorted(wanted)
        if found.get(name) != wanted[name]
    ]


def day_problems(tables: Tables, settings: Settings) -> Iterator[str]:
    if "dates" not in settings.families:
        return
    wanted: Counter[tuple[Any, ...]] = Counter()
    for key, metrics in tables.activity_user_agg.items():
        for date, count in OF_A_DAY if key.activity_type == "Course" else ():
            fell_on = day(metrics[date], settings.time_zone) if date in metrics else None
            if fell_on:
                wanted[(key.activity_type, key.activity_id, key.context_id, fell_on, count)] += 1
    found = {(*key, name): entry for key, row in tables.activity_day_agg.items() for name, entry in row.items()}
    for entry in sorted({*wanted, *found}):
        if found.get(entry) != wanted.get(entry):
            yield f"activity_day_agg {' '.join(entry)} is {found.get(entry)}, and its rows say {wanted.get(entry)}"


def group_problems(tables: Tables, settings: Settings) -> Iterator[str]:
    rows: dict[GroupKey, list[Metrics]] = defaultdict(list)
    for key, metrics in tables.group_activity_user_agg.items():
        rows[GroupKey(*key[:3])].append(metrics)
    for group in sorted({*rows, *tables.group_activity_agg}):
        found, members = tables.group_activity_agg.get(group), rows[group]
        if found is None:
            yield f"group_activity_agg lacks {' '.join(group)}"
            continue
        meant = "Course" if settings.means_course(group.activity_type) else group.activity_type
        wanted = {each.name: total(each, members) for each in SUMS if is_in_groups(each, meant, settings)}
        if meant == "Course":
            wanted["enrolledCount"] = len(members)
        if meant in SERVED_TYPES:
            enrolled = found.get("enrolledCount", -1)
            wanted |= derived(wanted | {"enrolledCount": enrolled}, 0, len(members))
        yield from compared("group_activity_agg", group, found, wanted)


def is_in_groups(each: Sum, meant: str, settings: Settings) -> bool:
    if meant not in each.types or each.name in NOT_IN_GROUPS:
        return False
    families = {"completion"} if each.name in BASIC_IN_GROUPS else {each.family, "groups"}
    return families <= settings.families or (
        each.name.startswith("reached") and meant == "Quiz" and "groups" in settings.families
    )
