"""What is listed for the mutants is there: modules, their tests, and the lines that survivors change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.mutation.accepted import Accepted, accepted
from tests.mutation.modules import modules
from tests.mutation.trials import Mutant

ROOT = Path(__file__).parents[2]
SOURCE = "def one() -> int:\n    return 1\n"


def test_every_module_of_the_metrics_is_listed_and_whatever_is_listed_is_there() -> None:
    listed = {module.path for module in modules()}
    metrics = {str(path.relative_to(ROOT)) for path in (ROOT / "metrics").rglob("*.py") if "\n\n" in path.read_text()}
    assert metrics - listed == set()
    named = {*listed, *(test for module in modules() for test in module.tests if not test.startswith("-k"))}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_a_survivor_that_is_listed_changes_a_line_that_is_there() -> None:
    for path, changes in accepted().left.items():
        lines = {line.strip() for line in (ROOT / path).read_text("utf-8").splitlines()}
        removed = [line[2:] for change in changes for line in change.splitlines() if line.startswith("- ")]
        assert [line for line in removed if line not in lines] == [], path


def test_a_survivor_is_met_as_often_as_it_is_listed_and_what_is_left_is_told() -> None:
    mutant = Mutant(SOURCE, 2, SOURCE.replace("1", "2"))
    assert mutant.change == "- return 1\n+ return 2"
    known = Accepted({"one.py": Counter([mutant.change, "- a\n+ b"])})
    assert [known.has("one.py", mutant), known.has("one.py", mutant), known.has("two.py", mutant)] == [
        True,
        False,
        False,
    ]
    assert known.unused("one.py") == ["- a\n+ b"]


def test_a_mutant_is_shown_as_the_lines_that_differ() -> None:
    assert Mutant(SOURCE, 2, SOURCE.replace("1", "2")).diff == "    -    return 1\n    +    return 2"
