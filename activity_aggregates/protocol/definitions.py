"""The digest of what a run computes by: two runs with the same one give the same rows for the same sources."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from activity_aggregates import settings
from activity_aggregates.sources.declarations import SOURCE_TABLES

_HOW_TO_REACH = "spark.cassandra."  # options of a source that say how it is read, not what


def definitions(chosen: settings.Settings, optional_columns: Mapping[str, Collection[str]]) -> str:
    """Of the settings that say what is computed, the sources with the optional columns found, and the rules."""
    stated = {
        "metrics": asdict(chosen.metrics),
        "metadata": asdict(chosen.metadata),
        "sources": {table.name: _source(getattr(chosen.sources, table.name)) for table in SOURCE_TABLES},
        "optional_columns": {name: sorted(columns) for name, columns in sorted(optional_columns.items())},
        "rules": rules(),
    }
    return hashlib.sha256(json.dumps(stated, sort_keys=True, default=str).encode()).hexdigest()[:32]


@cache
def rules() -> str:
    """The version of the declarations: a digest of the code of `metrics`, whatever its comments and its layout."""
    rooms = [files("metrics"), *(room for room in files("metrics").iterdir() if room.is_dir())]
    modules = ((room, file) for room in rooms for file in room.iterdir() if file.name.endswith(".py"))
    found = {f"{room.name}/{file.name}": file.read_text("utf-8") for room, file in modules}
    code = "\n".join(f"{name}: {_described(_without_docstrings(text))}" for name, text in sorted(found.items()))
    return hashlib.sha256(code.encode()).hexdigest()


def _source(source: settings.Source | None) -> dict[str, Any] | None:
    if source is None:
        return None
    options = {name: value for name, value in source.options.items() if not name.startswith(_HOW_TO_REACH)}
    return {**asdict(source), "options": options}


def _described(node: Any) -> str:
    """A syntax tree as text, without the fields that are empty: `ast.dump` names other ones in each version of Python.

    >>> print(_described(ast.parse("x = 1")))
    Module(body=[Assign(targets=[Name(id='x', ctx=Store())], value=Constant(value=1))])
    """
    if isinstance(node, list):
        return f"[{', '.join(map(_described, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    stated = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return f"{type(node).__name__}({', '.join(f'{name}={_described(value)}' for name, value in stated)})"


def _without_docstrings(text: str) -> ast.Module:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree
