"""Identifiers that look like the platform's and are the same in every run."""

from __future__ import annotations

import hashlib
import uuid

_LEARNERS = uuid.uuid5(uuid.NAMESPACE_URL, "https://example.org/sample")


def do_id(name: str) -> str:
    """The id of a course, unit or content."""
    return f"do_31{_digits(name, 18)}"


def batch_id(course: str, number: int) -> str:
    return f"01{_digits(f'{course}, batch {number}', 17)}"


def user_id(number: int) -> str:
    return str(uuid.uuid5(_LEARNERS, f"learner {number}"))


def group_id(name: str) -> str:
    return str(uuid.uuid5(_LEARNERS, f"group {name}"))


def certificate_id(name: str) -> str:
    return str(uuid.uuid5(_LEARNERS, f"certificate {name}"))


def attempt_id(number: int) -> str:
    return hashlib.sha256(f"attempt {number}".encode()).hexdigest()[:32]


def _digits(text: str, length: int) -> str:
    return str(int(hashlib.sha256(text.encode()).hexdigest(), 16))[:length]
