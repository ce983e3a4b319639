"""Where jars come from on a machine without Maven."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from activity_aggregates.plain_yaml import parsed
from scripts.embedded.artifacts import CONNECTOR
from scripts.embedded.jars import jars
from scripts.embedded.paths import CACHE, CHECKOUT


def test_a_repository_of_ones_own_is_enough_and_only_jars_are_asked_of_it(tmp_path: Path) -> None:
    for artifact, jar in zip(CONNECTOR.artifacts, jars(CONNECTOR), strict=True):
        path = tmp_path / "repository" / artifact.path
        path.parent.mkdir(parents=True)
        path.symlink_to(jar)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path.removeprefix("/"))

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "repository"))) as server:
        threading.Thread(target=server.serve_forever).start()
        environment = {
            "PATH": str(tmp_path),
            "ACTIVITY_AGGREGATES_CACHE": str(tmp_path / "cache"),
            "ACTIVITY_AGGREGATES_MAVEN_REPOSITORY": f"http://127.0.0.1:{server.server_port}",
        }
        code = "from scripts.embedded import artifacts, jars; print(len(jars.jars(artifacts.CONNECTOR)))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            env=os.environ | environment,
            check=False,
            capture_output=True,
            text=True,
        )
        server.shutdown()
    assert (done.returncode, done.stdout) == (0, f"{len(CONNECTOR.artifacts)}\n"), done.stderr
    assert set(asked) == {artifact.path for artifact in CONNECTOR.artifacts}


def test_the_list_of_jars_is_read_back_from_a_folder_of_any_name(tmp_path: Path) -> None:
    """As the value of a variable for a setting, which is YAML."""
    cache = tmp_path / "x, y [old] # 1"
    cache.mkdir()
    (cache / "jars").symlink_to(CACHE / "jars")
    called = [sys.executable, "-m", "scripts.embedded.jars"]
    environment = os.environ | {"ACTIVITY_AGGREGATES_CACHE": str(cache)}
    printed = subprocess.run(called, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout
    found = parsed(printed, "the list")
    assert [Path(jar).name for jar in found] == [jar.name for jar in jars(CONNECTOR)]
    assert {Path(jar).is_relative_to(cache) for jar in found} == {True}
