"""Every file of tests/cases, or of the folder that --cases names, is a test; ours share worlds where they can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.harness.case import read_case
from tests.harness.environment import Environment
from tests.harness.errors import CaseError, Mismatch
from tests.harness.execution import execute
from tests.harness.pool import execute_together, worlds

CASES = Path(__file__).parents[1] / "cases"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A folder that somebody names may have cases that are not right: each is tried by itself, and named so."""
    named = metafunc.config.getoption("--cases")
    files = sorted((named or CASES).glob("*.yaml"))
    if not files:
        raise pytest.UsageError(
            f"{named or CASES} has no case files (*.yaml): name a folder that has some with --cases"
        )
    together = [[file] for file in files] if named else worlds(files)
    metafunc.parametrize("files", together, ids=["+".join(file.name for file in each) for each in together])


def test_case(files: Sequence[Path], made: Environment, tmp_path: Path) -> None:
    made.empty()
    try:
        if len(files) > 1:
            execute_together(files, made, tmp_path)
        else:
            execute(read_case(files[0]), made, tmp_path)
    except (CaseError, Mismatch) as error:
        pytest.fail(f"{', '.join(file.name for file in files)}: {error}", pytrace=False)
