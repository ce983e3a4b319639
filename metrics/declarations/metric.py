"""What is said of one metric, and the words that its declaration is made of; no Spark is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from metrics.names import COURSE, COURSE_UNIT, QUIZ

Family = Literal["completion", "dates", "certificates", "scores", "time", "groups"]
FAMILIES: tuple[Family, ...] = get_args(Family)
COMPLETION, DATES, CERTIFICATES, SCORES, TIME, GROUPS = FAMILIES

ACTIVITY_USER_AGG = "activity_user_agg"
ACTIVITY_AGG = "activity_agg"
ACTIVITY_DAY_AGG = "activity_day_agg"
GROUP_ACTIVITY_AGG = "group_activity_agg"
GROUP_ACTIVITY_USER_AGG = "group_activity_user_agg"
OF_LEARNERS = (ACTIVITY_USER_AGG, GROUP_ACTIVITY_USER_AGG)

COLLECTIONS = (COURSE, COURSE_UNIT)
ANY_TYPE = (COURSE, COURSE_UNIT, QUIZ)

OWN_ROWS = "own rows"  # the learners' rows of the activity itself
COURSE_ROWS = "course rows"  # the Course rows of the course that the activity belongs to

REACHED = (25, 50, 75)

# What a published row adds to the number of those who have completed, and who have started.
STANDS_COMPLETED = f"CASE WHEN activity_type = '{QUIZ}' OR completed = 1 THEN 1 ELSE 0 END"
STANDS_STARTED = f"CASE WHEN activity_type = '{QUIZ}' OR startedCount > 0 THEN 1 ELSE 0 END"


@dataclass(frozen=True)
class Metric:
    """One metric of the rows of some tables.

    `value` is its expression; a sum has `adds` in its place, what one published row adds, counted in whole numbers of
    1/`scale`: in expressions the column of a sum is that whole number. `over` tells whose rows are added. A metric
    without either is a column of the source of its rows. It stands in rows of the activity types `types` only; of a
    group's row that is the type that the group means. A sum with `day_of` stands in the rows of days, and adds each row
    to the day of this date of its own. `also` is a second family that has to be on. Where the optional column of the
    enrolments that it `rests_on` is not deployed, the metric is absent.
    """

    name: str
    family: str
    unit: str
    meaning: str
    tables: tuple[str, ...]
    types: tuple[str, ...] = ANY_TYPE
    value: str | None = None
    adds: str | None = None
    scale: int = 1
    over: str = OWN_ROWS
    also: str | None = None
    day_of: str | None = None
    rests_on: str | None = None

    @property
    def is_sum(self) -> bool:
        """Whether it equals the sum over published rows."""
        return self.adds is not None

    @property
    def counts_learners(self) -> bool:
        """Whether it is a number of learners, of whom there are never more than are enrolled."""
        return self.is_sum and self.unit == "learners"
