"""Who imports whom, where time may enter and how long a module may be: read from the source, nothing is run."""

from __future__ import annotations

import ast
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
    f"{ENGINE}.protocol",
    f"{ENGINE}.compute",
    f"{ENGINE}.run",
    "jobs",
)
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


def test_the_read_api_imports_no_spark_and_of_the_metrics_what_needs_none() -> None:
    of_spark = (f"{ENGINE}.{room}" for room in ("run", "compute", "protocol", "sources", "changes", "writing"))
    unwanted = ("pyspark", "jobs", *of_spark)
    assert [found for other in unwanted for found in imports_of(f"{ENGINE}.api", other)] == []
    allowed = ("metrics.declarations.", "metrics.names.")
    of_metrics = [
        found for found in imports_of(f"{ENGINE}.api", "metrics") if not found.split(": ")[1].startswith(allowed)
    ]
    assert of_metrics == []


def test_a_room_has_few_modules() -> None:
    rooms = {path.parent for top in (ENGINE, "jobs", "metrics") for path in (ROOT / top).rglob("*.py")}
    sizes = {room.name: len([path for path in room.glob("*.py") if path.name != "__init__.py"]) for room in rooms}
    assert {room: size for room, size in sizes.items() if size > MOST_MODULES} == {}


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
