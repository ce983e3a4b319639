"""The digest of what a run computes by: another one where the numbers may be others."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import pytest

from activity_aggregates import configuration
from activity_aggregates.protocol import definitions
from activity_aggregates.settings import Settings


@pytest.fixture
def settings() -> Settings:
    return configuration.load(None, {}, {}).settings


def digest(settings: Settings, columns: dict[str, set[str]] | None = None) -> str:
    return definitions.definitions(settings, columns or {})


def with_enrolments(settings: Settings, **changes: Any) -> Settings:
    source = replace(settings.sources.enrolments, **changes)
    return replace(settings, sources=replace(settings.sources, enrolments=source))


def test_the_same_settings_have_the_same_digest(settings: Settings) -> None:
    assert digest(settings) == digest(configuration.load(None, {}, {}).settings)


@pytest.mark.parametrize(
    "changes", [{"table": "other"}, {"columns": {"user_id": "uid"}}, {"options": {"nullValue": "-"}}]
)
def test_another_source_is_another_definition(settings: Settings, changes: dict[str, Any]) -> None:
    assert digest(with_enrolments(settings, **changes)) != digest(settings)


def test_other_choices_of_metrics_and_metadata_are_other_definitions(settings: Settings) -> None:
    metrics = replace(settings, metrics=replace(settings.metrics, completion="current"))
    metadata = replace(settings, metadata=replace(settings.metadata, fields=None))
    assert len({digest(each) for each in (settings, metrics, metadata)}) == 3


def test_an_optional_column_that_is_found_is_another_definition(settings: Settings) -> None:
    assert digest(settings, {"enrolments": {"issued_certificates"}}) != digest(settings)


def test_how_a_source_is_reached_and_how_fast_is_written_changes_nothing(settings: Settings) -> None:
    options = {**settings.sources.enrolments.options, "spark.cassandra.input.fetch.sizeInRows": "10"}
    faster = replace(settings, writes=replace(settings.writes, in_flight=99))
    assert digest(with_enrolments(settings, options=options)) == digest(faster) == digest(settings)


def test_the_rules_are_the_code_of_the_metrics_without_its_words() -> None:
    one = definitions._without_docstrings(
        '"""A word."""\n\ndef double(x):\n    """Twice."""\n    return 2 * x  # two\n'
    )
    other = definitions._without_docstrings("def double(x):\n    return (2 *\n        x)\n")
    changed = definitions._without_docstrings("def double(x):\n    return 3 * x\n")
    assert definitions._described(one) == definitions._described(other) != definitions._described(changed)
    assert len(definitions.rules()) == 64


def test_the_rules_are_the_same_for_every_version_of_python() -> None:
    """`ast.dump` is not: each version has fields of its own, which are empty for what is written here."""
    code = "@cache\ndef f(x, *, y=None):\n    return [each for each in x if each is not y], f'{x!r}'\n"
    assert definitions._described(ast.parse(code)) == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='x')], kwonlyargs=[arg(arg='y')], "
        "kw_defaults=[Constant()]), body=[Return(value=Tuple(elts=[ListComp(elt=Name(id='each', "
        "ctx=Load()), generators=[comprehension(target=Name(id='each', ctx=Store()), iter=Name(id='x', ctx=Load()), "
        "ifs=[Compare(left=Name(id='each', ctx=Load()), ops=[IsNot()], comparators=[Name(id='y', ctx=Load())])], "
        "is_async=0)]), JoinedStr(values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=114)])], "
        "ctx=Load()))], decorator_list=[Name(id='cache', ctx=Load())])])"
    )
