"""What a run would change, on a terminal: tables of sums, then the rows in which most would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from activity_aggregates.changes.staged import Entry
from activity_aggregates.report.changes import Changes, TableChanges, most_moved
from activity_aggregates.report.values import shown
from activity_aggregates.store.targets import KEY_COLUMNS
from activity_aggregates.terminal.tables import Column, fitted, grouped

_ENTRIES = 4  # of a row
_NAMED_BY = ("activity_type", "activity_id")  # what of a key its name stands for


def draw(console: Console, changes: Changes) -> None:
    """Print everything, the largest changes first."""
    console.print(Text("Dry run: nothing was written", "bold"))
    parts = [_by_table(changes, console.width)]
    if changes.metrics:
        parts += [_headline("By metric, in the rows that would change"), _by_metric(changes, console.width)]
    if changes.courses:
        shown_of = f"{len(changes.courses)} of {changes.number_of_courses:,}"
        parts += [_headline(f"By course: {shown_of}, most rows first"), _by_course(changes, console.width)]
    for table in changes.tables:
        if table.examples:
            parts += [_headline(f"{table.table.name}: {len(table.examples)} of {table.changed:,} rows")]
            parts += _examples(table, changes)
    console.print(Group(*parts))


def _headline(text: str) -> RenderableType:
    return Padding(Text(text, "bold"), (1, 0, 0, 0))


def _by_table(changes: Changes, width: int) -> RenderableType:
    columns = [Column("table"), Column("would change", align="right"), Column("of them retracted", 1, "right")]
    return fitted(
        columns, [(each.table.name, f"{each.changed:,}", f"{each.retracted:,}") for each in changes.tables], width
    )


def _by_metric(changes: Changes, width: int) -> RenderableType:
    columns = [
        Column("table", 1), Column("metric"), Column("rows", 2, "right"), Column("sum before", 4, "right"),
        Column("after", 3, "right"), Column("difference", align="right"),
    ]  # fmt: skip
    rows = []
    for table, of_table in groupby(changes.metrics, key=lambda metric: metric.table):
        for number, each in enumerate(of_table):
            sums = ("", "", "") if each.before is None else (
                grouped(each.before), grouped(each.after or 0.0), _coloured(each.difference)
            )  # fmt: skip
            rows.append(("" if number else table, each.metric, f"{each.rows:,}", *sums))
    return fitted(columns, rows, width)


def _by_course(changes: Changes, width: int) -> RenderableType:
    columns = [
        Column("course"),
        Column("rows", align="right"),
        Column("id", 2),
        Column("sums that move furthest", 1, wraps=True),
    ]
    rows = []
    for course in changes.courses:
        moved = ", ".join(f"{each.metric} {_signed(each.difference)}" for each in most_moved(course))
        rows.append((changes.course_name(course), f"{course.rows:,}", course.course_id, moved))
    return fitted(columns, rows, width)


def _examples(table: TableChanges, changes: Changes) -> Iterator[RenderableType]:
    for row in table.examples:
        yield Text.assemble("  ", *_key(row["key"], changes.names[table.activity(row)]))
        yield Padding(_entries(row["metrics"]), (0, 0, 0, 4))


def _key(key: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    """The activity by its name, then what else says which row it is."""
    yield f"{key['activity_type']} ", "dim"
    yield name, "cyan"
    for column in KEY_COLUMNS:
        if column in key and column not in _NAMED_BY:
            yield f"  {key[column]}", "dim"


def _entries(metrics: Mapping[str, Mapping[str, Any]]) -> Text:
    """The entries that move furthest, and how many there are beside them."""
    texts = Text()
    for name, both in sorted(metrics.items(), key=_furthest_first)[:_ENTRIES]:
        texts.append(", " if texts else "").append(f"{name} {shown(both['before'])} -> {shown(both['after'])}")
    if len(metrics) > _ENTRIES:
        texts.append(f", …\N{NO-BREAK SPACE}{len(metrics) - _ENTRIES}\N{NO-BREAK SPACE}more", "dim")
    return texts


def _furthest_first(entry: tuple[str, Mapping[str, Any]]) -> tuple[float, str]:
    name, both = entry
    is_text = isinstance(both["before"] or both["after"], str)
    return -(0.0 if is_text else Entry(name, both["before"], both["after"]).difference), name


def _signed(difference: float) -> str:
    return f"{'+' if difference > 0 else ''}{grouped(difference)}"


def _coloured(difference: float) -> Text:
    return Text(_signed(difference), "green" if difference > 0 else "red" if difference < 0 else "dim")
