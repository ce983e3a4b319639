"""Who imports whom, where time may enter and how long a module may be: read from the source, nothing is run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = "activity_aggregates"
# What may import what stands before it, never what comes after.
ORDER = (
    "metrics",
    f"{ENGINE}.spark",
    f"{ENGINE}.request",
    f"{ENGINE}.store",
    f"{ENGINE}.sources",
    f"{ENGINE}.changes",
    f"{ENGINE}.writing",
    f"{ENGINE}.report",
    f"{ENGINE}.watching",
    f"{ENGINE}.terminal",
    f"{ENGINE}.protocol",
    f"{ENGINE}.compute",
    f"{ENGINE}.run",
    "jobs",
)
# What is data alone, so that whoever only shows metrics may read it.
DECLARED = {"declarations", "names", "percentages"}
LONGEST = 400  # lines
MOST_MODULES = 15  # of a room, its __init__ aside
CLOCKS = {"time", "now", "utcnow", "today", "monotonic", "current_date", "current_timestamp", "localtimestamp"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room.replace(".", "/")).rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it; of `from a import b` it is a.b."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(room: str, target: str) -> list[str]:
    """Which modules of a room import the target, or something below it."""
    found = ((module, name) for module in modules(room) for name in imported(module))
    return [f"{module.name}: {name}" for module, name in found if f"{name}.".startswith(f"{target}.")]


@pytest.mark.parametrize(("room", "above"), [(room, ORDER[at + 1 :]) for at, room in enumerate(ORDER[:-1])])
def test_a_room_does_not_import_what_stands_above_it(room: str, above: tuple[str, ...]) -> None:
    assert [found for other in above for found in imports_of(room, other)] == []


def test_the_read_api_imports_no_spark_and_no_room_that_does() -> None:
    rooms = ("run", "compute", "protocol", "spark", "sources", "changes", "writing", "report", "watching", "terminal")
    unwanted = ("pyspark", "jobs", *(f"{ENGINE}.{room}" for room in rooms))
    assert [found for other in unwanted for found in imports_of(f"{ENGINE}.api", other)] == []


def test_of_the_metrics_the_read_api_imports_what_is_declared() -> None:
    names = {name for module in modules(f"{ENGINE}.api") for name in imported(module) if name.startswith("metrics.")}
    assert {name.split(".")[1] for name in names} <= DECLARED


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_what_is_declared_of_metrics_imports_no_spark_and_nothing_that_is_computed(name: str) -> None:
    place = ROOT / "metrics" / name
    names = {
        each
        for file in (modules(f"metrics.{name}") if place.is_dir() else [Path(f"{place}.py")])
        for each in imported(file)
    }
    assert not [each for each in names if each.startswith("pyspark")]
    assert {each.split(".")[1] for each in names if each.startswith("metrics.")} <= DECLARED


def test_the_read_api_starts_without_spark() -> None:
    """Whatever its modules import in turn."""
    code = f"import sys, {ENGINE}.api.serve; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_rule_sees_the_imports_that_are_allowed() -> None:
    assert imports_of("jobs", f"{ENGINE}.run")
    assert imports_of(f"{ENGINE}.changes", "metrics")


def test_the_metrics_import_pyspark_themselves_and_the_standard_library() -> None:
    own = {"pyspark", *sys.stdlib_module_names}
    others = [name for module in modules("metrics") for name in imported(module) if name.split(".")[0] not in own]
    assert [name for name in others if not name.startswith("metrics.")] == []


def test_the_metrics_know_no_clock() -> None:
    for module in modules("metrics"):
        assert not {name.split(".")[0] for name in imported(module)} & {"time", "datetime"}, module
        assert not clocks(module.read_text("utf-8")), module


def clocks(source: str) -> set[str]:
    """Names of clocks that a source calls, as functions or in SQL."""
    tree = ast.parse(source)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in called}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return CLOCKS & (names | {clock for clock in CLOCKS for text in texts if f"{clock}()" in text})


@pytest.mark.parametrize("source", ["datetime.now(UTC)", "time()", "F.current_timestamp()", 'F.expr("now()")'])
def test_a_clock_is_seen_however_it_is_asked(source: str) -> None:
    assert clocks(source)


def test_no_module_is_longer_than_two_screens_allow() -> None:
    files = [path for top in (ENGINE, "jobs", "metrics", "scripts", "tests") for path in (ROOT / top).rglob("*.py")]
    assert {path.name: lines for path in files if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST} == {}
    assert len(files) > 50


def test_no_room_has_more_modules_than_one_can_keep_in_mind() -> None:
    folders = {module.parent for top in (ENGINE, "jobs", "metrics", "scripts") for module in modules(top)}
    sizes = {folder: len([module for module in folder.glob("*.py") if module.stem != "__init__"]) for folder in folders}
    crowded = {folder.relative_to(ROOT).as_posix() for folder, size in sizes.items() if size > MOST_MODULES}
    assert crowded == set()


def test_whatever_reads_may_ask_a_second_node() -> None:
    """A query as a bare text, or one that is prepared without a word, would wait for a node that stands still."""
    calls = ("execute", "execute_async", "prepare")
    bare = [
        f"{module.name}:{node.lineno}"
        for module in modules(ENGINE)
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls
        if any(
            isinstance(given, ast.Constant | ast.JoinedStr) and "SELECT" in ast.unparse(given) for given in node.args
        )
    ]
    assert bare == [], "take `reading` or `prepared_reading` of the connection"
