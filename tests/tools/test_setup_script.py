"""scripts/setup in a checkout of its own, with a Python that only pretends to make environments and to install."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.embedded.paths import CHECKOUT

PRETENDING = f"""#!/usr/bin/env bash
case "$*" in
    "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python; touch .venv/pip ;;
    "-m pip"*) [[ -f .venv/pip ]] ;;
    "-m scripts"*) ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What scripts/setup reads, the Python beside it, and an environment of it whose pip is missing."""
    for name in ("scripts/setup", "pyproject.toml", "requirements/build.lock", "requirements/dev.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    shutil.copytree(CHECKOUT / "scripts" / "embedded", tmp_path / "scripts" / "embedded")
    for python in (tmp_path / "python", tmp_path / ".venv" / "bin" / "python"):
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(PRETENDING, "utf-8")
        python.chmod(0o755)
    return tmp_path


def set_up(checkout: Path, python: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "ACTIVITY_AGGREGATES_PYTHON": str(python)}
    called = [checkout / "scripts" / "setup"]
    return subprocess.run(called, env=environment, capture_output=True, text=True, check=False)


def test_an_environment_that_is_only_half_made_is_made_anew(checkout: Path) -> None:
    ended = set_up(checkout, checkout / "python")
    assert (ended.returncode, (checkout / ".venv" / "pip").exists()) == (0, True), ended.stderr


def test_an_environment_that_is_whole_is_kept(checkout: Path) -> None:
    for name in ("pip", "of-before"):
        (checkout / ".venv" / name).touch()
    assert set_up(checkout, checkout / "python").returncode == 0
    assert (checkout / ".venv" / "of-before").exists()
