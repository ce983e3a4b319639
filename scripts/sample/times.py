"""When things happen in the sample."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def days(number: int) -> timedelta:
    return timedelta(days=number)
