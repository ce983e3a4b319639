"""Runs of the ledger on a terminal: the newest as a table, or one with the time line of its phases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from activity_aggregates.report.contents import duration, refusals, rows_by_table
from activity_aggregates.report.outcome import details, outcome
from activity_aggregates.report.plots import time_line
from activity_aggregates.store.ledger import RunRecord
from activity_aggregates.terminal.tables import Column, fitted, status

# What a narrow terminal shows of runs, by the names in the header of the plain table.
_RANKS = {"command": 1, "status": 0, "run": 0, "written": 2, "seconds": 3, "scope": 4, "as_of": 8}
_TEXTS = ("run", "command", "as_of", "scope", "status")
_LONGEST_BAR = 60  # characters
# Counts by table, in the order of their columns, and which of them a narrow terminal shows.
_OF_TABLES = {
    "stored": 4, "compared": 6, "changed": 1, "added": 3, "retracted": 2, "lowered": 5, "newer": 7, "written": 1,
    "after": 8,
}  # fmt: skip


def newest(console: Console, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a row for each run; `rows` are those of the plain table."""
    at = header.index("status")
    columns = [Column(name, _RANKS.get(name, 6), "left" if name in _TEXTS else "right") for name in header]
    lines: list[list[str | Text]] = [[*row[:at], status(row[at]), *map(_grouped, row[at + 1 :])] for row in rows]
    console.print(fitted(columns, lines, console.width))


def _grouped(number: str) -> str:
    return f"{int(number):,}" if number.isdigit() else number


def one(console: Console, run: RunRecord) -> None:
    """Print what became of a run, where its time went, and what it counted."""
    parts: list[RenderableType] = [_title(run), Text(outcome(run))]
    if more := details(run):
        parts.append(Text(more, "dim"))
    parts += [Text(), _facts(run)]
    if run.phases:
        parts += [_headline("Time"), _phases(run, console.width)]
    if tables := [each.table for each in rows_by_table(run.counts)]:
        parts += [_headline("Rows"), _rows(tables, run.counts, console.width)]
    if found := refusals(run.counts):
        columns = [Column("refused of"), Column("reason"), Column("rows", align="right")]
        lines = [(each.source, each.reason, f"{each.rows:,}") for each in found]
        parts += [_headline("Refused"), fitted(columns, lines, console.width)]
    if counts := _further(run.counts, tables):
        columns = [Column("count"), Column("rows", align="right")]
        further = [(name, f"{rows:,}") for name, rows in sorted(counts.items())]
        parts += [_headline("Further counts above 0"), fitted(columns, further, console.width)]
    console.print(Group(*parts))


def _title(run: RunRecord) -> Text:
    return Text.assemble((f"Run {run.run_id}", "bold"), "  ", status(run.status))


def _headline(text: str) -> RenderableType:
    return Padding(Text(text, "bold"), (1, 0, 0, 0))


def _facts(run: RunRecord) -> Table:
    took = duration(run)
    facts = {
        "command": run.command, "scope": run.scope.describe(), "as of": f"{run.as_of:%Y-%m-%d %H:%M:%S} UTC",
        "started": f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC" + ("" if took is None else f", took {took:,.1f} s"),
        "version": run.code_version, "settings": run.settings_digest, "staged in": run.staging_dir,
        "puts right": ", ".join(sorted(run.settles)),
    }  # fmt: skip
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            grid.add_row(name, value)
    return grid


def _phases(run: RunRecord, width: int) -> Table:
    """The phases one below the other, each as a bar where it stands on the time line."""
    spans = time_line(run)
    names, seconds = max(len(span.name) for span in spans), [f"{span.seconds:,.1f} s" for span in spans]
    bar = min(_LONGEST_BAR, width - names - max(map(len, seconds)) - 5)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    for span, took in zip(spans, seconds, strict=True):
        drawn = Bar(100, span.start, min(100.0, span.start + span.width), width=bar, color="cyan") if bar > 0 else ""
        grid.add_row(span.name, took, drawn)
    return grid


def _rows(tables: Sequence[str], counts: Mapping[str, int], width: int) -> Table:
    """By table what was counted of it, whatever kinds of counts this run has."""
    kinds = [kind for kind in _OF_TABLES if any(f"{kind}.{table}" in counts for table in tables)]
    columns = [Column("table"), *(Column(kind, _OF_TABLES[kind], "right") for kind in kinds)]
    lines = [[table, *(_shown(counts.get(f"{kind}.{table}")) for kind in kinds)] for table in tables]
    return fitted(columns, lines, width)


def _shown(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _further(counts: Mapping[str, int], tables: Sequence[str]) -> dict[str, int]:
    """What stands in no other table, and says something."""
    elsewhere = {f"{kind}.{table}" for kind in _OF_TABLES for table in tables}
    return {
        name: rows
        for name, rows in counts.items()
        if rows and name not in elsewhere and not name.startswith("refused.")
    }
