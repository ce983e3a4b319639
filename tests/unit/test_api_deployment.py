"""What deploy/api says of the software is so."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import yaml

from tests.harness.processes import command_line

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "api"


def test_the_service_starts_what_there_is() -> None:
    """The command as it stands there; its settings are missing here."""
    unit = (FOLDER / "activity-aggregates-api.service").read_text()
    (start,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    done = subprocess.run(command_line(*shlex.split(start)[1:]), check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--conf /etc/activity-aggregates/settings.yaml cannot be read" in done.stderr


def test_the_proxy_bounds_what_the_api_bounds() -> None:
    api = yaml.safe_load((ROOT / "conf" / "default.yaml").read_text())["api"]
    proxy = (FOLDER / "nginx.conf").read_text()
    assert f"client_max_body_size {api['max_body_bytes'] // 1024}k;" in proxy
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s", proxy)
    assert int(seconds) > api["request_timeout"]
    (idle,) = re.findall(r"keepalive_timeout (\d+)s;  ", proxy)
    assert int(idle) < api["idle_timeout"]
