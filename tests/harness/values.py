"""Values as the cases write them and as Cassandra returns them, brought to one form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.harness.errors import CaseError

Row = dict[str, Any]


def typed(value: Any, cql_type: str) -> Any:
    """A value of a case or of the store in the form in which both are compared, and which can be bound.

    Instants are aware, maps are dicts, days are texts, and an integer is epoch milliseconds where the column is a time.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: typed(entry, _type_of_entries(cql_type)) for key, entry in value.items()}
    if cql_type == "timestamp":
        return of_milliseconds(value) if isinstance(value, int) else instant(value)
    return day(value) if cql_type == "date" else value


def of_milliseconds(value: int) -> datetime | int:
    """A point in time; one beyond what a date can hold stays the number that it is stored as.

    >>> of_milliseconds(1000) == instant("1970-01-01T00:00:01Z"), of_milliseconds(1764144000000000000)
    (True, 1764144000000000000)
    """
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)
    except OverflowError:
        return value


def day(value: Any) -> str:
    """A day as cases write it.

    >>> day(date(2026, 1, 31))
    '2026-01-31'
    """
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise CaseError(f"{value!r} is not a day: write it as 2026-01-31") from error


def instant(value: Any) -> datetime:
    """A point in time; one without an offset is in UTC.

    >>> instant("2026-01-01T05:30:00+05:30") == instant("2026-01-01")
    True
    """
    try:
        moment = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    except (TypeError, ValueError) as error:
        raise CaseError(f"{value!r} is not an instant: write it as 2026-01-01T00:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def shown(value: Any) -> str:
    """A value as a case would write it.

    >>> shown({"completed": 1.0, "completionPercentage": 66.66})
    '{completed: 1, completionPercentage: 66.66}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "nothing" if value is None else str(value)


def _type_of_entries(cql_type: str) -> str:
    """Of `map<text, timestamp>` the second."""
    return cql_type.rpartition("map<")[2].rpartition(", ")[2].rstrip(">")
