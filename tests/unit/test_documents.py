"""The documents follow the code: tables of metrics, settings, commands, files and tests that they name."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.__main__ import COMMANDS, EXIT_CODES
from metrics import declarations
from metrics.declarations import Metric
from scripts.documents.__main__ import documents
from scripts.documents.site import START, sections
from scripts.documents.tables import all_tables, overview, rewritten, table_of, tables_in
from tests.harness.case import read_case

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / folder for folder in ("docs", "deploy", ".github"))
ALL = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])
PRESENT = [path for path in ALL if path.name != "CHANGELOG.md"]  # which names what has gone, too
GUARANTEES = ROOT / "docs/guarantees.md"
SECURITY = ROOT / "SECURITY.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
UNPUBLISHED = ("deploy", ".github")  # which are read where they are
MOST_PROMISES = 10
LONGEST_WAY = 25  # functions from source to target


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize(("name", "text"), documents().items(), ids=documents())
def test_what_follows_from_the_code_is_up_to_date(name: str, text: str) -> None:
    assert text == text_of(name), f"{name} is not up to date: call scripts/document"


def test_the_definitions_have_the_metrics_of_every_table_in_full() -> None:
    assert tables_in(text_of("docs/definitions.md")) == {*all_tables()}


def test_the_readme_names_the_metrics_of_every_table() -> None:
    assert overview(all_tables()) in text_of("README.md")


def test_a_table_says_of_a_metric_where_it_stands_its_unit_and_its_meaning() -> None:
    assert (
        "| memberCount | any | completion | members | active members of the group |"
        in table_of(["group_activity_agg"]).splitlines()
    )


def test_tables_with_different_metrics_are_not_shown_as_one() -> None:
    with pytest.raises(ValueError, match="activity_agg and group_activity_agg have different metrics"):
        table_of(["activity_agg", "group_activity_agg"])


def test_what_stands_between_the_comments_is_replaced_and_nothing_else() -> None:
    opening, end = "<!-- metrics of group_activity_agg, by scripts/document -->\n", "<!-- end -->\n"
    written = rewritten(f"before\n{opening}| of yesterday |\n{end}after\n")
    assert written == f"before\n{opening}\n{table_of(['group_activity_agg'])}\n{end}after\n"


def settings_named(text: str) -> set[tuple[str, str]]:
    """(section, key) of what is written as a setting."""
    return {
        (section, key) for section, key in re.findall(r"`([a-z_]+)\.([a-z_]+)\b[^`]*`", text) if section in DEFAULTS
    }


DEFAULTS: dict[str, Any] = {
    section: keys
    for section, keys in yaml.safe_load(text_of("conf/default.yaml")).items()
    if section != "spark"  # whose names are Spark's own as well
}


@pytest.mark.parametrize("path", PRESENT, ids=lambda path: path.name)
def test_the_settings_that_it_names_are_there(path: Path) -> None:
    named = settings_named(path.read_text("utf-8"))
    assert {f"{section}.{key}" for section, key in named if key not in DEFAULTS[section]} == set()


def test_a_setting_that_is_not_there_would_be_noticed() -> None:
    assert settings_named("see `limits.refused_share` and `limits.nothing: 3`") == {
        ("limits", "refused_share"),
        ("limits", "nothing"),
    }


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_the_files_that_it_links_to_are_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_the_headings_that_it_links_to_are_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", path.read_text("utf-8"))
    assert [(link, at) for link, at in links if at not in anchors(path.parent / link if link else path)] == []


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_stands_once_in_the_navigation_of_the_site() -> None:
    pages = [START, *(page for of_section in sections().values() for page in of_section)]
    of_users = [path.relative_to(ROOT).as_posix() for path in ALL if path.relative_to(ROOT).parts[0] not in UNPUBLISHED]
    assert sorted(pages) == sorted(of_users)


def test_the_readme_has_every_command() -> None:
    described = set(re.findall(r"^\| `(\w+)", text_of("README.md"), re.MULTILINE))
    assert described >= {*COMMANDS}


def test_the_readme_has_every_exit_code() -> None:
    _, _, table = text_of("README.md").partition("| exit code | means |")
    rows, _, _ = table.partition("\n\n")
    assert re.findall(r"^\| (\d+) ", rows, re.MULTILINE) == re.findall(r"^  (\d+)", EXIT_CODES, re.MULTILINE)


def promises() -> list[str]:
    return re.split(r"^\d+\. ", GUARANTEES.read_text("utf-8"), flags=re.MULTILINE)[1:]


def test_there_are_few_promises_and_each_names_a_test() -> None:
    assert 0 < len(promises()) <= MOST_PROMISES
    assert [promise for promise in promises() if "`tests/" not in promise] == []


@pytest.mark.parametrize("page", [GUARANTEES, SECURITY], ids=lambda page: page.name)
def test_the_tests_that_prove_the_promises_are_there(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/.-]+)(?:::(\w+))?`", page.read_text("utf-8"))
    assert named
    assert [f"{file} {test}" for file, test in named if not is_there(file, test)] == []


def is_there(file: str, name: str) -> bool:
    path = ROOT / file
    return path.exists() and (not name or name in functions(path))


def functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_the_functions_on_the_way_of_a_number_are_there_and_few() -> None:
    way = re.findall(r"^\d+\. `(?:\w+\.)?(\w+)` in `([\w/]+\.py)`", CONTRIBUTING.read_text("utf-8"), re.MULTILINE)
    assert 0 < len(way) <= LONGEST_WAY
    assert [f"{name} in {file}" for name, file in way if not is_there(file, name)] == []


def examples(language: str) -> list[str]:
    """The examples of that language in CONTRIBUTING.md."""
    return re.findall(rf"^```{language}\n(.*?)^```", CONTRIBUTING.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_example_of_a_metric_is_one_of_learners_and_its_sum_in_hundredths() -> None:
    of_learners, of_activities = (eval(example, vars(declarations)) for example in examples("python"))
    assert isinstance(of_learners, Metric)
    assert not of_learners.is_sum
    assert isinstance(of_activities, Metric)
    assert (of_activities.name, of_activities.adds, of_activities.scale) == (of_learners.name, of_learners.name, 100)


@pytest.mark.parametrize("number", range(2))
def test_the_examples_of_cases_are_cases(number: int, tmp_path: Path) -> None:
    (tmp_path / "case.yaml").write_text(examples("yaml")[number], "utf-8")
    assert read_case(tmp_path / "case.yaml").steps
