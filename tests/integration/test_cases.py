"""Every file of tests/cases, or of the folder that --cases names, is a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.case import read_case
from tests.harness.environment import Environment
from tests.harness.errors import CaseError, Mismatch
from tests.harness.execution import execute

CASES = Path(__file__).parents[1] / "cases"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = metafunc.config.getoption("--cases") or CASES
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise pytest.UsageError(f"{folder} has no case files (*.yaml): name a folder that has some with --cases")
    metafunc.parametrize("file", files, ids=[file.name for file in files])


def test_case(file: Path, made: Environment, tmp_path: Path) -> None:
    made.empty()
    try:
        execute(read_case(file), made, tmp_path)
    except (CaseError, Mismatch) as error:
        pytest.fail(f"{file.name}: {error}", pytrace=False)
