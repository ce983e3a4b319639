"""The numbers of an activity in its context, and of its days, from the rows of its learners."""

from collections import Counter
from collections.abc import Iterable

from tests.model.numbers import average, day, hundredths, percentage
from tests.model.rows import Metrics, Settings
from tests.model.tables import ActivityKey, DayKey, UserKey

SHARES = (25, 50, 75)
OF_A_DAY = {"enrolledOn": "enrolledCount", "completedOn": "completedCount", "lastActiveOn": "lastActiveCount"}


def summary(activity_type: str, rows: list[Metrics], enrolled: int, leaf_nodes: int, settings: Settings) -> Metrics:
    """The row of an activity: `rows` are those of its learners in this context."""
    if activity_type == "Quiz":
        by_score = reached(rows, "scorePercentage") if "scores" in settings.families else {}
        return quiz_counts(rows, enrolled) | by_score | further_sums("Quiz", rows, settings)
    completed = sum(row["completed"] == 1 for row in rows)
    done = sum(int(row["completedCount"]) for row in rows)
    return {
        "enrolledCount": enrolled,
        "startedCount": started(rows),
        "completedCount": completed,
        "completionPercentage": percentage(completed, enrolled, of_nothing=0),
        "leafNodesCount": leaf_nodes,
        "completedLeafNodesCount": done,
        "averageProgress": percentage(done, enrolled * leaf_nodes, of_nothing=100 if enrolled else 0),
        **reached(rows, "completionPercentage"),
        **further_sums(activity_type, rows, settings),
    }


def quiz_counts(rows: list[Metrics], enrolled: int) -> Metrics:
    return {
        "enrolledCount": enrolled,
        "startedCount": len(rows),
        "completedCount": len(rows),
        "completionPercentage": percentage(len(rows), enrolled, of_nothing=0),
    }


def started(rows: list[Metrics]) -> int:
    return sum(row["startedCount"] >= 1 for row in rows)


def reached(rows: list[Metrics], share: str) -> Metrics:
    return {f"reached{least}Count": sum(row[share] >= least for row in rows) for least in SHARES}


def further_sums(activity_type: str, rows: list[Metrics], settings: Settings) -> Metrics:
    """What the families of certificates, scores and time add to a row of an activity, or of a group."""
    sums: Metrics = {}
    if activity_type == "Quiz" and "scores" in settings.families:
        total = hundredths([row["scorePercentage"] for row in rows])
        sums["attemptsCount"] = sum(row["attemptsCount"] for row in rows)
        sums["scorePercentageSum"] = float(total)
        sums["averageScorePercentage"] = average(total, len(rows))
    if activity_type == "Course" and "certificates" in settings.families:
        sums["certifiedCount"] = sum(row.get("certified", 0) for row in rows)
    if activity_type == "Course" and "time" in settings.families:
        spent = [int(row["timespent"]) for row in rows if "timespent" in row]
        sums["timespent"], sums["timespentCount"] = sum(spent), len(spent)
        sums["averageTimespent"] = average(sum(spent), len(spent))
    return sums


def day_rows(learners: Iterable[tuple[UserKey, Metrics]], settings: Settings) -> dict[DayKey, Metrics]:
    """How many learners of a course enrolled, completed and were last active, by day."""
    counts: dict[DayKey, Counter[str]] = {}
    for key, metrics in learners:
        for name, count in OF_A_DAY.items():
            is_dated = key.activity_type == "Course" and "dates" in settings.families and name in metrics
            fell_on = day(metrics[name], settings.time_zone) if is_dated else None
            if fell_on:
                of_day = DayKey(key.activity_type, key.activity_id, key.context_id, fell_on)
                counts.setdefault(of_day, Counter())[count] += 1
    return {key: {name: float(count) for name, count in found.items()} for key, found in counts.items()}


def of_learners(rows: dict[UserKey, Metrics], activity: ActivityKey) -> list[Metrics]:
    return [metrics for key, metrics in rows.items() if (key[0], key[1], key[3]) == activity]
