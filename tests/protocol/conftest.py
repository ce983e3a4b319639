"""Options of the histories on the twin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.platform import Platform


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `--changed` names in every history."""
    file = tmp_path_factory.mktemp("protocol") / "pairs.csv"
    file.write_text("user_id,course_id,batch_id\nu1,c1,b1\nu2,c1,b2\n", "utf-8")
    return file


@pytest.fixture
def platform(pairs_file: Path) -> Platform:
    return Platform(pairs_file)
