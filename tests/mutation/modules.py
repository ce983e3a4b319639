"""The modules whose mutants are tried, each with the tests that are to notice them: modules.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("modules.yaml")


@dataclass(frozen=True)
class Module:
    """`path` is below the checkout; `tests` are arguments of pytest, what is fastest first."""

    path: str
    tests: tuple[str, ...]

    @property
    def needs_cassandra(self) -> bool:
        return any(test.startswith("tests/integration") for test in self.tests)


def modules() -> list[Module]:
    """In the order of the file. The examples in a module's docstrings are among its tests."""
    listed: dict[str, list[str]] = yaml.safe_load(_FILE.read_text("utf-8"))
    return [Module(path, (path, *tests)) for path, tests in listed.items()]
