"""The tables of metrics in the documents: rendered from the declarations, each between two comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from metrics.declarations import METRICS, Metric, declared
from metrics.names import ACTIVITY_TYPES

DOCUMENTS = ("README.md", "docs/definitions.md")
OVERVIEW = "every table"
_BLOCK = re.compile(r"(<!-- metrics of (?P<what>[\w, ]+), by scripts/document -->\n).*?(<!-- end -->\n)", re.DOTALL)


def rewritten(text: str) -> str:
    """A document with every table between its comments as the declarations have it."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{_rendered(block['what'])}\n{block[3]}", text)


def tables_in(text: str) -> set[str]:
    """The target tables whose metrics a document has in full."""
    return {table for block in _BLOCK.finditer(text) for table in block["what"].split(", ")} - {OVERVIEW}


def all_tables() -> tuple[str, ...]:
    """The target tables that have metrics."""
    return tuple(dict.fromkeys(table for metric in METRICS for table in metric.tables))


def _rendered(what: str) -> str:
    return overview(all_tables()) if what == OVERVIEW else table_of(what.split(", "))


def table_of(tables: Sequence[str]) -> str:
    """Every metric of a table, or of several that have the same ones, with all that a reader wants to know."""
    first, *others = (declared(table) for table in tables)
    if any(other != first for other in others):
        raise ValueError(f"{' and '.join(tables)} have different metrics: give each a table of its own")
    rows = ((metric.name, _of(metric), metric.family, metric.unit, metric.meaning) for metric in first)
    return _table(("metric", "of", "family", "unit", "meaning"), rows)


def overview(tables: Iterable[str]) -> str:
    """The names of the metrics in the rows of each activity type; tables, and types, with the same ones together."""
    alike: dict[tuple[Metric, ...], list[str]] = {}
    for table in tables:
        alike.setdefault(declared(table), []).append(table)
    rows = []
    for metrics, names in alike.items():
        by_metrics: dict[str, list[str]] = {}
        for activity_type in ACTIVITY_TYPES:
            here = dict.fromkeys(metric.name for metric in metrics if activity_type in metric.types)
            by_metrics.setdefault(", ".join(here), []).append(activity_type)
        rows += [(", ".join(names), ", ".join(types), listed) for listed, types in by_metrics.items() if listed]
    return _table(("table", "in rows of", "metrics"), rows)


def _of(metric: Metric) -> str:
    return "any" if set(metric.types) == set(ACTIVITY_TYPES) else ", ".join(metric.types)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
