"""When things happen in the sample."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2025, 9, 1, tzinfo=UTC)  # a Monday, when the first batches begin


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def days(number: int) -> timedelta:
    return timedelta(days=number)
