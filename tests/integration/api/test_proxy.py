"""The proxy of deploy/api, as nginx itself runs it before a server; only its addresses, names and files are others."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from scripts.embedded import certificates
from scripts.embedded.ports import free_ports
from tests.harness.api import EARLIER, Api
from tests.harness.waiting import wait_at_work

NGINX = shutil.which("nginx")
CONFIGURATION = Path(__file__).parents[3] / "deploy" / "api" / "nginx.conf"
NAME, ADDRESS = "aggregates.example.org", "127.0.0.1"
ASKED = {"request": {"groupId": "g1", "activityId": "c1", "activityType": "Course"}}

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine")


@pytest.fixture(scope="module")
def proxy(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, int]]:
    """A client that trusts the proxy and reaches it under its name, and the port without TLS."""
    folder = tmp_path_factory.mktemp("nginx")
    trusted = certificates.make(folder, [ADDRESS])
    for name in (f"{NAME}.pem", f"{NAME}.key"):
        (folder / name).symlink_to(trusted.node)  # which has both
    plain, secure = free_ports(2, [ADDRESS])
    configure(folder, api, plain, secure)
    command = [NGINX or "", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "errors.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_at_work(process, lambda: is_open(secure), "nginx does not listen")
            tls = ssl.create_default_context(cafile=str(trusted.authority))
            with httpx.Client(base_url=f"https://{ADDRESS}:{secure}", headers={"host": NAME}, verify=tls) as client:
                yield client, plain
        finally:
            process.terminate()


def configure(folder: Path, api: Api, plain: int, secure: int) -> None:
    text = CONFIGURATION.read_text()
    others = {
        "127.0.0.1:8080": urlsplit(str(api.client.base_url)).netloc, "listen 80;": f"listen {ADDRESS}:{plain};",
        "listen 443 ": f"listen {ADDRESS}:{secure} ", "/etc/nginx/tls": str(folder),
    }  # fmt: skip
    for ours, here in others.items():
        assert text.count(ours) >= 1, ours
        text = text.replace(ours, here)
    (folder / "api.conf").write_text(text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder / 'nginx.pid'};\nevents {{}}\nhttp {{\naccess_log off;\n{places}\n"
        f"include {folder / 'api.conf'};\n}}\n"
    )


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((ADDRESS, port)) == 0


def ask(client: httpx.Client, api: Api, path: str, user: str = "u1") -> httpx.Response:
    return client.post(path, json=ASKED, headers={"x-authenticated-user-token": api.keys.token(user)})


def test_it_answers_under_its_name_as_the_server_does(proxy: tuple[httpx.Client, int], api: Api) -> None:
    client, _ = proxy
    found = [ask(client, api, path).json()["result"] for path in (EARLIER, f"/api/data{EARLIER}")]
    assert found == [ask(api.client, api, EARLIER).json()["result"]] * 2


def test_who_comes_without_tls_is_led_to_its_own_name_whatever_they_call_it(proxy: tuple[httpx.Client, int]) -> None:
    led = httpx.get(f"http://{ADDRESS}:{proxy[1]}/health/live", headers={"host": "somewhere.example.com"})
    assert (led.status_code, led.headers["location"]) == (308, f"https://{NAME}/health/live")


def test_what_is_for_the_machines_inside_is_not_there(proxy: tuple[httpx.Client, int]) -> None:
    client, _ = proxy
    assert [client.get(path).status_code for path in ("/health/live", "/health/ready", "/metrics")] == [200, 404, 404]


def test_a_body_that_is_too_large_does_not_reach_the_server(proxy: tuple[httpx.Client, int]) -> None:
    client, _ = proxy
    refused = client.post(EARLIER, content=b"x" * 65537, headers={"content-type": "application/json"})
    assert (refused.status_code, refused.headers["server"].split("/")[0]) == (413, "nginx")
    assert "<html>" in refused.text  # of nginx, not the envelope of the server


def test_one_client_alone_cannot_ask_without_end(proxy: tuple[httpx.Client, int]) -> None:
    client, _ = proxy
    assert {client.get("/health/live").status_code for _ in range(200)} == {200, 429}
