"""Draws the mutants of one module by the operators of mutmut, and prints each as a line of JSON: `line` and `code`.

It runs in the environment that mutmut has of its own. Left out is what says nothing of the tests: a None in the place
of a value, which ends the first test that comes by, and letters in another case, which names of Spark and of CQL do not
tell apart. Annotations, decorators and imports are not mutated.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators

_NOT_MUTATED = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)
_NOT_USED = (mutators.operator_assignment,)


class Mutations(cst.CSTVisitor):  # type: ignore[misc]
    """Collects what can be changed in a statement: a node, and what stands in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, _NOT_MUTATED) or _is_exported(node):
            return False
        for kind, operator in mutators.mutation_operators:
            if isinstance(node, kind) and operator not in _NOT_USED:
                self.found += [(node, mutated) for mutated in _telling(operator, node)]
        return True


def _is_exported(node: cst.CSTNode) -> bool:
    """Whether it is the list of a module's names."""
    return isinstance(node, cst.Assign) and getattr(node.targets[0].target, "value", None) == "__all__"


def _telling(operator: Callable[[Any], Iterable[Any]], node: Any) -> Iterable[Any]:
    if operator is mutators.operator_string:
        return islice(operator(node), 1)  # the others are those in another case
    if operator is mutators.operator_arg_removal:
        return (call for call in operator(node) if len(call.args) < len(node.args))
    return operator(node)


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """The line and the whole text of every mutant that is a text of its own, in the order of the lines."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    positions, module = wrapper.resolve(PositionProvider), wrapper.module
    texts, begin = {source}, source.index(module.code_for_node(module.body[0])) if module.body else 0
    for statement in module.body:
        end = begin + len(module.code_for_node(statement))
        mutations = Mutations()
        statement.visit(mutations)
        for node, mutated in mutations.found:
            code = source[:begin] + module.code_for_node(statement.deep_replace(node, mutated)) + source[end:]
            if code not in texts:
                texts.add(code)
                yield positions[node].start.line if node in positions else 0, code
        begin = end


if __name__ == "__main__":
    for line, code in mutants(Path(sys.argv[1]).read_text("utf-8")):
        print(json.dumps({"line": line, "code": code}))
