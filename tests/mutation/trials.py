"""Mutants of a module, and what the tests say of each."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.mutation.modules import Module


@dataclass(frozen=True)
class Mutant:
    """A module with one change, at a line."""

    source: str
    line: int
    code: str

    @cached_property
    def _lines(self) -> list[str]:
        """The lines that differ, as they are in a diff."""
        lines = difflib.unified_diff(self.source.splitlines(), self.code.splitlines(), n=0, lineterm="")
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]

    @property
    def diff(self) -> str:
        """To be read, indented."""
        return "\n".join(f"    {line}" for line in self._lines)

    @property
    def change(self) -> str:
        """To be listed, wherever it stands: without the indentation of the code."""
        return "\n".join(f"{line[0]} {line[1:].strip()}".strip() for line in self._lines)


def drawn(python: Path, module: Path) -> list[Mutant]:
    """The mutants of a module, drawn by the Python that has mutmut."""
    source = module.read_text("utf-8")
    command = [python, Path(__file__).with_name("mutants.py"), module]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [Mutant(source, each["line"], each["code"]) for each in map(json.loads, said.splitlines())]


def outcomes(module: Module, mutants: Sequence[Mutant], folder: Path) -> Iterator[str]:
    """What became of each mutant, tried in a copy of the checkout; after one that took too long a process is new."""
    left = list(mutants)
    while left:
        tried = 0
        for outcome in _tried(module, left, folder):
            tried += 1
            yield outcome
        assert tried, f"{module.path}: the tests do not come to their end"
        left = left[tried:]


def _tried(module: Module, mutants: Sequence[Mutant], folder: Path) -> Iterator[str]:
    job = {"module": module.path, "tests": module.tests, "mutants": [mutant.code for mutant in mutants]}
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "yes"}
    command = [sys.executable, "-m", "tests.mutation.forks"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        (folder / "errors").open("w+") as errors,
        subprocess.Popen(command, cwd=folder, env=environment, stderr=errors, **pipes) as process,  # type: ignore[call-overload]
    ):
        json.dump(job, process.stdin)
        process.stdin.close()
        if seconds := process.stdout.readline().strip():
            print(f"  its tests take {seconds} s", flush=True)
        yield from (line.strip() for line in process.stdout)
        if process.wait():
            errors.seek(0)
            told = f"{module.path}: without a change its tests have to pass, before and after the mutants"
            raise SystemExit(f"{errors.read()}\n{told}: scripts/test {' '.join(module.tests)}")
