"""Values as the cases write them and as Cassandra returns them, brought to one form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from tests.harness.errors import CaseError

Row = dict[str, Any]


def typed(value: Any, cql_type: str) -> Any:
    """A value of a case or of the store in the form in which both are compared: instants are aware, maps are dicts."""
    if isinstance(value, Mapping):
        return {key: typed(entry, _type_of_entries(cql_type)) for key, entry in value.items()}
    if cql_type == "timestamp" and value is not None:
        return instant(value)
    return value


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
