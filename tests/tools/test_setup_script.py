"""The scripts from any folder; scripts/setup in a checkout of its own, with a Python that only pretends to install."""

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


def set_up(checkout: Path, python: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "ACTIVITY_AGGREGATES_PYTHON": str(python), **variables}
    return subprocess.run(["scripts/setup"], cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_an_environment_that_is_only_half_made_is_made_anew(checkout: Path) -> None:
    ended = set_up(checkout, checkout / "python")
    assert (ended.returncode, (checkout / ".venv" / "pip").exists()) == (0, True), ended.stderr


def test_an_environment_that_is_whole_is_kept(checkout: Path) -> None:
    for name in ("pip", "of-before"):
        (checkout / ".venv" / name).touch()
    assert set_up(checkout, checkout / "python").returncode == 0
    assert (checkout / ".venv" / "of-before").exists()


def test_the_python_that_is_named_may_have_a_blank_in_its_path(checkout: Path) -> None:
    python = (checkout / "python").rename(checkout / "a python")
    ended = set_up(checkout, python)
    assert (ended.returncode, (checkout / ".venv" / "ready").exists()) == (0, True), ended.stderr


def test_a_folder_that_cdpath_names_is_not_taken_for_the_checkout(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "scripts").mkdir(parents=True)
    ended = set_up(checkout, checkout / "python", CDPATH=str(tmp_path / "elsewhere"))
    assert ended.returncode == 0, ended.stderr
    assert (checkout / ".venv" / "ready").exists()


SCRIPTS = sorted(file.name for file in (CHECKOUT / "scripts").iterdir() if file.is_file() and not file.suffix)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "environment"])
def test_a_script_shows_its_help_from_any_folder(name: str) -> None:
    called = [f"{CHECKOUT.name}/scripts/{name}", "--help"]
    ended = subprocess.run(called, cwd=CHECKOUT.parent, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"scripts/{name}" in ended.stdout
