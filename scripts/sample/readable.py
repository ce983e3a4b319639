"""Metrics as a person reads them: days, percentages, lengths of time, by the unit that each is declared with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from metrics.declarations import declared
from metrics.names import ATTEMPTS_COUNT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR = 60, 3600  # seconds


def readable(value: float, unit: str) -> str:
    """A value of a metric.

    >>> readable(62.5, "percent"), readable(1757030400000.0, "epoch ms"), readable(1.0, "0 or 1")
    ('62.5 %', '2025-09-05', 'yes')
    >>> readable(59.9, "seconds"), readable(4320.0, "seconds"), readable(14614.0, "learners")
    ('60 s', '1 h 12 min', '14,614')
    """
    match unit:
        case "percent":
            return f"{value:g} %"
        case "epoch ms":
            return (_EPOCH + timedelta(milliseconds=value)).date().isoformat()
        case "0 or 1":
            return "yes" if value else "no"
        case "seconds":
            return _length(value)
        case _:
            return f"{value:,.2f}".rstrip("0").rstrip(".")


def by_family(table: str, activity_type: str, agg: Mapping[str, float]) -> dict[str, list[str]]:
    """The declared metrics that a row has, each as a text, by family and in the order of declaration.

    >>> by_family("activity_agg", "Quiz", {"enrolledCount": 4.0, "averageScorePercentage": 62.5, "mine": 1.0})
    {'completion': ['enrolledCount 4'], 'scores': ['averageScorePercentage 62.5 %']}
    """
    found: dict[str, list[str]] = {}
    for metric in declared(table):
        if metric.name in agg and activity_type in metric.types:
            found.setdefault(metric.family, []).append(f"{metric.name} {readable(agg[metric.name], metric.unit)}")
    return found


def quizzes_taken(agg: Mapping[str, float]) -> int:
    """Of how many quizzes a learner's Course row says how they went."""
    return sum(name.startswith(ATTEMPTS_COUNT) for name in agg)


def _length(seconds: float) -> str:
    if seconds < _HOUR:
        return f"{seconds:.0f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.0f} min"
    return f"{seconds // _HOUR:,.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
