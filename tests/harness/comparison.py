"""Stored rows against expected ones. The messages are the product: they name every difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.harness.errors import CaseError
from tests.harness.values import Row, shown

ONLY_WHAT_IS_NAMED = ("agg_last_updated",)


def differences(
    table: str, key: Sequence[str], found: Sequence[Row], expected: Sequence[Row], others_allowed: bool
) -> list[str]:
    """A sentence per missing row, unexpected row and differing entry; with `others_allowed` only what is named counts.

    Columns that an expected row does not name are not compared, and so a part of the key will do.
    """
    sentences: list[str] = []
    left = list(found)
    for row in expected:
        candidates = [candidate for candidate in left if _is_same(row, candidate, _identity(table, key, row))]
        if not candidates:
            sentences.append(f"{table} lacks the row {shown(row)}")
            continue
        best = min(candidates, key=lambda candidate: len(list(_entries(row, candidate, others_allowed))))
        left.remove(best)
        name = " ".join(shown(best[column]) for column in key)
        sentences += [f"{table} {name}: {entry}" for entry in _entries(row, best, others_allowed)]
    if not others_allowed:
        sentences += [f"{table} has a row that is not expected: {shown(_without_nulls(row))}" for row in left]
    return sentences


def _identity(table: str, key: Sequence[str], row: Row) -> list[str]:
    named = [column for column in key if column in row]
    if not named:
        raise CaseError(f"the row {shown(row)} of {table} names no column of its key: {', '.join(key)}")
    return named


def _is_same(one: Row, other: Row, columns: Sequence[str]) -> bool:
    return all(one[column] == other[column] for column in columns)


def _entries(expected: Row, found: Row, others_allowed: bool) -> Iterator[str]:
    for column, wanted in expected.items():
        stored = found[column]
        if not isinstance(wanted, Mapping):
            if wanted != stored:
                yield f"{column}: expected {shown(wanted)}, found {shown(stored)}"
            continue
        stored = stored or {}
        only_named = others_allowed or column in ONLY_WHAT_IS_NAMED
        for name in sorted(wanted if only_named else {*wanted, *stored}):
            if wanted.get(name) != stored.get(name):
                yield f"{column}.{name}: expected {shown(wanted.get(name))}, found {shown(stored.get(name))}"


def _without_nulls(row: Row) -> Row:
    return {column: value for column, value in row.items() if value is not None}
