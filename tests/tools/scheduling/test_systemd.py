"""The units as systemd itself reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.embedded.paths import CHECKOUT

ANALYZE = shutil.which("systemd-analyze")
UNITS = CHECKOUT / "deploy" / "systemd"

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze on this machine")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they are installed, but for where the program is and whose it is."""
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    for unit in (each for each in UNITS.glob("activity-aggregates@*") if each.is_file()):
        text = unit.read_text().replace("/opt/activity-aggregates/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text.replace("/opt/activity-aggregates", str(CHECKOUT)))
    return tmp_path


def test_systemd_finds_nothing_to_say_about_the_units(installed: Path) -> None:
    timers = sorted(installed.glob("*.timer"))
    services = [timer.with_suffix(".service") for timer in timers]
    assert len(services) == 3
    verified = analyze("verify", "--man=no", *services, *timers)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_systemd_understands_every_time() -> None:
    text = "".join(timer.read_text() for timer in UNITS.glob("*.timer"))
    times = re.findall(r"^OnCalendar=(.+)$", text, re.MULTILINE)
    understood = analyze("calendar", "--base-time=2026-01-01 00:00:00 UTC", *times)
    assert understood.returncode == 0, understood.stderr
    due = re.findall(r"(?:\(in UTC\)|Next elapse): (.+ UTC)$", understood.stdout, re.MULTILINE)
    assert {"Thu 2026-01-01 01:30:00 UTC", "Sun 2026-01-04 04:30:00 UTC"} <= set(due)


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)
