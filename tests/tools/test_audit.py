"""scripts/audit on a database of advisories that speaks OSV."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scripts.embedded.paths import CHECKOUT

LOCK = CHECKOUT / "requirements" / "build.lock"
ADVISORY = {
    "id": "PYSEC-0000-1",
    "aliases": ["CVE-0000-0001"],
    "summary": "it unpacks anywhere",
    "affected": [
        {
            "package": {"name": "wheel", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}


@contextmanager
def database(**advisories: object) -> Iterator[str]:
    """The address of one that knows these advisories, by package."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            known = advisories.get(asked["package"]["name"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"vulns": [known]} if known else {}).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def audited(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(CHECKOUT / "scripts" / "audit"), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_lock_against_which_nothing_is_known() -> None:
    with database() as osv:
        found = audited("--osv", osv, LOCK)
    assert (found.returncode, found.stdout) == (0, f"0 of {len(pins())} packages are affected\n"), found.stderr


def test_a_package_that_is_affected_is_named_with_the_version_that_is_not() -> None:
    with database(wheel=ADVISORY) as osv:
        found = audited("--osv", osv, LOCK)
    sentence = f"wheel {pins()['wheel']}: PYSEC-0000-1, CVE-0000-0001; mended in 99.1\n"
    assert (found.returncode, found.stdout.partition("\n")[0] + "\n") == (1, sentence), found.stderr


def test_where_nobody_can_be_asked_it_does_not_say_that_all_is_well() -> None:
    found = audited("--osv", "http://127.0.0.1:1/", LOCK)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (3, "", 1)
    assert found.stderr.startswith("audit: the advisory database cannot be asked (")


def pins() -> dict[str, str]:
    lines = [line.split()[0] for line in LOCK.read_text().splitlines() if "==" in line]
    return dict(line.split("==") for line in lines)
