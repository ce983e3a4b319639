"""Which metrics the settings switch on, and choices of metrics that cannot be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import available_timezones

from activity_aggregates import settings
from metrics.declarations import COMPLETION, TIME, Selection, all_names
from metrics.names import SCORE_PREFIXES

_COLUMN = re.compile("[A-Za-z][A-Za-z0-9_]*")  # what is taken along is a column of Spark's, in any case of letters
# Columns that rows have on their way; whatever is taken along is one beside them.
_COLUMNS_OF_ROWS = (
    "table", "kind", "newer", "undated", "stays", "entries", "texts", "agg", "dates", "sign", "meant", "served",
    "listed", "activity_type", "activity_id", "user_id", "context_id", "course_id", "group_id", "day", "status",
    "members",
)  # fmt: skip
_PREFIXES_OF_COLUMNS = ("was_", "carried_", "is_")
_UTC = "UTC"
# Files among those of the zones: whatever a machine has, and none. Spark knows neither.
_NO_ZONES = {"localtime", "Factory"}


def selected(chosen: settings.Settings) -> Selection:
    """The families that are on, that of time only where its source is configured, and the entries taken along."""
    has_time = chosen.sources.timespent is not None
    families = (family for family in chosen.metrics.families if family != TIME or has_time)
    return Selection(tuple(families), tuple(chosen.metrics.carry))


def mistaken_choices(metrics: settings.Metrics) -> Iterator[tuple[str, str]]:
    """The settings whose values contradict the definitions, each with what is wrong and the next step."""
    if COMPLETION not in metrics.families:
        yield "families", f"leaves out {COMPLETION}, which is always computed: add it"
    own = {name.lower() for name in all_names()}
    times = Counter(name.lower() for name in metrics.carry)
    for name in dict.fromkeys(metrics.carry):
        if times[name.lower()] > 1:
            yield "carry", f"names {name} more than once, whatever the case of its letters: name it once"
        elif name.lower() in own or name.startswith(SCORE_PREFIXES):
            yield "carry", f"names {name}, which is a metric of the job's own: leave it out"
        elif not _COLUMN.fullmatch(name):
            yield "carry", f"names {name}, which cannot be taken along: write letters, digits and _, a letter first"
        elif name.lower() in _COLUMNS_OF_ROWS or name.lower().startswith(_PREFIXES_OF_COLUMNS):
            yield "carry", f"names {name}, which is a column of the job's: have its writer name it otherwise"
    if metrics.time_zone != _UTC and (known := available_timezones() - _NO_ZONES) and metrics.time_zone not in known:
        near = get_close_matches(metrics.time_zone, sorted(known), n=1, cutoff=0) or [_UTC]
        yield "time_zone", f"names {metrics.time_zone}, which is not a time zone; the nearest is {near[0]}"
