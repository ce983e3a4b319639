"""The scripts of shells, run by the shell that every machine has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jobs.__main__ import COMMANDS, PROGRAM
from jobs.completion import SHELLS, script

# The last word is what is being typed.
_COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shtab_activity_aggregates "$1" "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def of_bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / PROGRAM
    file.write_text(script("bash"), "utf-8")
    return file


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["ru"], ["run", "runs"]),
        (["run", "--incr"], ["--incremental"]),
        (["export", "activity_u"], ["activity_user_agg"]),
        (["export", "activity_agg", "--format", ""], ["parquet", "csv"]),
        (["report", ""], ["last"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes_what_a_command_takes(of_bash: Path, typed: list[str], completed: list[str]) -> None:
    called = ["bash", "-c", _COMPLETE, "bash", str(of_bash), PROGRAM, *typed]
    ended = subprocess.run(called, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == completed, ended.stderr


def test_bash_completes_the_files_of_conf(of_bash: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").touch()
    called = ["bash", "-c", _COMPLETE, "bash", str(of_bash), PROGRAM, "run", "--conf", "set"]
    ended = subprocess.run(called, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["settings.yaml"], ended.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_the_script_of_a_shell(shell: str) -> None:
    assert [name for name in COMMANDS if name not in script(shell)] == []
