"""The script that cron starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.embedded.paths import CHECKOUT


@pytest.mark.parametrize("code", [0, 1, 3])
def test_cron_gets_the_exit_code_and_syslog_the_output(tmp_path: Path, code: int) -> None:
    log = tmp_path / "syslog"
    program(tmp_path / "activity-aggregates", f'echo "said $*"; exit {code}')
    program(tmp_path / "logger", f'shift 2; if [ $# -gt 0 ]; then echo "$*"; else cat; fi >>"{log}"')
    job = [str(CHECKOUT / "deploy" / "cron" / "job"), "run", "--wait", "5"]
    ended = subprocess.run(job, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert ended.returncode == code
    assert log.read_text().splitlines() == ["said run --wait 5", f"run ended with exit code {code}"]


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
