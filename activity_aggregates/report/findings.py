"""What a verification has found, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from activity_aggregates.report.values import described, shown
from activity_aggregates.store.records import KINDS


def print_table(
    table: str, rows: Mapping[str, int], metrics: Mapping[str, Mapping[str, int]], examples: Mapping[str, Sequence[Any]]
) -> None:
    """How many rows of a table differ, in which metrics, and by kind the rows that are furthest apart."""
    if not rows:
        print(f"{table}: no difference")
        return
    print(f"{table}: {sum(rows.values())} rows differ: {_by_kind(rows)}")
    for metric, by_kind in sorted(metrics.items()):
        print(f"  {metric}: {_by_kind(by_kind)}")
    for kind in (kind for kind in KINDS if kind in rows):
        listed = examples.get(kind, ())
        for change in listed:
            print(f"  {kind} {described(change)}")
        if rows[kind] > len(listed):
            print(f"  … and {rows[kind] - len(listed)} more {kind}")


def print_held(entries: Sequence[Mapping[str, Any]], count: int) -> None:
    """Entries that hold something else than what was written, `count` in all."""
    for entry in entries:
        held, after = (entry[f"text_{state}"] or entry[state] for state in ("held", "after"))
        print(f"{entry['table']} {entry['key']}: {entry['metric']} is {shown(held)}, not {shown(after)}")
    if count > len(entries):
        print(f"… and {count - len(entries)} more entries")


def print_sums(differing: Sequence[Mapping[str, Any]], count: int) -> None:
    """Published sums that are not the sum over the published rows, `count` in all."""
    for sum_ in differing:
        published, summed = shown(sum_["published"]), shown(sum_["summed"])
        print(f"{sum_['table']} {sum_['key']}: {sum_['metric']} is {published}, its rows add up to {summed}")
    if count > len(differing):
        print(f"… and {count - len(differing)} more sums")


def _by_kind(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if kind in counts)
