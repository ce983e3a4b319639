"""The target tables as `Rows`, what differs between two of them, and the same done to the real ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tests.corruption.corruptors import CATALOG, METADATA, Entries, Place, Rows
from tests.harness.environment import Environment
from tests.model import Tables
from tests.model.tables import KEYS, CatalogKey

TABLES = (*KEYS, METADATA, CATALOG)
AGG = "agg"


def read(made: Environment) -> dict[Place, Entries]:
    """Every row that has entries."""
    found: dict[Place, Entries] = {}
    for table in TABLES:
        columns = made.store.key(table)
        for row in made.store.stored(table):
            entries = {"course_id": row["course_id"]} if table == CATALOG else row[_map_of(table)] or {}
            if entries:
                found[Place(table, tuple(row[column] for column in columns))] = entries
    return found


def by_context(rows: Rows, contexts: Iterable[str]) -> dict[str, dict[Place, Entries]]:
    """The rows of each context: its name ends every id of its own."""
    found: dict[str, dict[Place, Entries]] = defaultdict(dict)
    known = set(contexts)
    for place, entries in rows.items():
        names = {part.partition("-")[2] for part in place.key} & known
        assert len(names) == 1, place
        found[names.pop()][place] = entries
    return found


def findings(right: Rows, damaged: Rows, keys: Any) -> Iterator[dict[str, Any]]:
    """What `verify --out` has to say, line by line; `keys` names the columns of a table's key."""
    for place in sorted({*right, *damaged}):
        after, before = right.get(place, {}), damaged.get(place, {})
        if after == before:
            continue
        kind = "different" if before and after else "missing" if after else "extra"
        names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        yield {
            "table": place.table, "kind": kind, "key": dict(zip(keys(place.table), place.key, strict=True)),
            "metrics": {name: {"before": before.get(name), "after": after.get(name)} for name in names},
        }  # fmt: skip


def damage(made: Environment, right: Rows, damaged: Rows) -> None:
    """Has the real tables hold what `damaged` says; other columns stay as they are."""
    for place in {*right, *damaged}:
        before, after = right.get(place, {}), damaged.get(place, {})
        if before == after:
            continue
        key = dict(zip(made.store.key(place.table), place.key, strict=True))
        if place not in damaged:
            made.store.delete(place.table, [key])
        elif place.table == CATALOG:
            made.store.load(CATALOG, [key | after])
        else:
            _remove(made, place.table, key, {*before} - {*after})
            made.store.merge(place.table, [key | {_map_of(place.table): after}])


def _remove(made: Environment, table: str, key: dict[str, Any], names: set[str]) -> None:
    if names:
        where = " AND ".join(f"{column} = %s" for column in key)
        column = _map_of(table)
        statement = f"UPDATE {made.targets}.{table} SET {column} = {column} - %s WHERE {where}"
        made.session.execute(statement, [names, *key.values()])


def _map_of(table: str) -> str:
    return "metadata" if table == METADATA else AGG


def as_tables(rows: Rows) -> Tables:
    """For the model."""
    found: dict[str, Any] = {table: {} for table in KEYS}
    for place, entries in rows.items():
        if place.table in KEYS:
            found[place.table][KEYS[place.table](*place.key)] = entries
    catalog = {
        CatalogKey(*place.key): entries["course_id"] for place, entries in rows.items() if place.table == CATALOG
    }
    return Tables(**found, activity_catalog=catalog)
