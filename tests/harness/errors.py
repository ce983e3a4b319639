"""What can be wrong with a case: the file itself, or what the software made of it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CaseError(Exception):
    """The case file is wrong; one sentence says where."""


class Mismatch(AssertionError):
    """The software did something else than the case expects."""


def unknown(what: str, name: object, known: Iterable[str]) -> CaseError:
    """The error for a name that is none of the known ones."""
    known = sorted(known)
    near = get_close_matches(str(name), known, n=1)
    hint = f"the nearest is {near[0]}" if near else f"there are {', '.join(known)}"
    return CaseError(f"{name!r} is not a {what}: {hint}")
