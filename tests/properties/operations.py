"""What happens to a platform and its aggregates, as data: the steps of a case file, and how a run of them dies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.model.deployed import key_columns

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """A step of a case: `load`, `delete`, `write`, `settings`, `run` or `command`, and what it says."""

    kind: str
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """Of a command, its name included."""
        before = ["run"] if self.kind == "run" else []
        return [*before, *self.content.get("args", [])]

    @property
    def files(self) -> dict[str, str]:
        """Texts of the files that the arguments name."""
        found: dict[str, str] = self.content.get("files", {})
        return found

    @property
    def killed_at(self) -> int | None:
        """After how many writes of tables the run is killed; None: it is not."""
        found: int | None = self.content.get("killed")
        return found

    @property
    def is_command(self) -> bool:
        return self.kind in ("run", "command")


def load(table: str, *rows: dict[str, Any]) -> Operation:
    return Operation("load", {table: list(rows)})


def delete(table: str, *rows: dict[str, Any]) -> Operation:
    return Operation("delete", {table: list(rows)})


def write(table: str, *rows: dict[str, Any]) -> Operation:
    return Operation("write", {table: list(rows)})


def command(*arguments: str, files: dict[str, str] | None = None, killed: int | None = None) -> Operation:
    content: dict[str, Any] = {"args": list(arguments[1:] if arguments[0] == "run" else arguments)}
    if files:
        content["files"] = files
    if killed is not None:
        content["killed"] = killed
    return Operation("run" if arguments[0] == "run" else "command", content)


def joined(operations: Iterable[Operation]) -> list[Operation]:
    """The same with what is loaded in a row as one operation, each row of it once."""
    found: list[Operation] = []
    loads: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}

    def end_loads() -> None:
        if loads:
            found.append(Operation("load", {table: list(rows.values()) for table, rows in loads.items()}))
            loads.clear()

    for operation in operations:
        if operation.kind != "load":
            end_loads()
            found.append(operation)
            continue
        for table, rows in operation.content.items():
            for row in rows:
                key = tuple(row[column] for column in key_columns(table))
                by_key = loads.setdefault(table, {})
                by_key[key] = by_key.get(key, {}) | row
    end_loads()
    return found


def as_case(why: str, operations: Iterable[Operation]) -> str:
    """A history in the form of a case file, so that it can be cut down by hand and kept; nothing dies in one."""
    steps = [
        {operation.kind: {name: value for name, value in operation.content.items() if name != "killed"}}
        for operation in operations
    ]
    return yaml.safe_dump({"why": why, "steps": steps}, sort_keys=False, width=160, default_flow_style=None)
