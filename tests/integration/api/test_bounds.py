"""Bounds that hold before anybody has looked at a token: size of the head, time, number of connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.harness.api import GROUP, Api, api_settings, key_pair, refusal, served
from tests.harness.environment import Environment
from tests.harness.raw_http import connected, parsed, rest, sent

CONNECTIONS = 8
START = b"POST /data/group/agg HTTP/1.1\r\nhost: api\r\n"
GET = b"GET /health/live HTTP/1.1\r\nhost: api\r\n"
SEND_SECONDS = 0.1  # between the bytes of a client that takes its time


@pytest.fixture(scope="module")
def api(world: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that waits three seconds for a head and four for a request."""
    folder, keys = tmp_path_factory.mktemp("bounds"), key_pair()
    bounds = {"idle_timeout": 3, "request_timeout": 4, "max_connections": CONNECTIONS}
    with served(world.configure({"api": {**api_settings(folder, keys), **bounds}}, folder), keys) as api:
        api.client.headers["connection"] = "close"
        yield api


def url(api: Api) -> str:
    return str(api.client.base_url)


@pytest.mark.parametrize(
    "head",
    [
        START + b"x-large: " + b"x" * 33_000 + b"\r\n\r\n",
        START + b"".join(b"x-%d: %s\r\n" % (number, b"x" * 2000) for number in range(20)) + b"\r\n",
        START + b"".join(b"x-%d: 1\r\n" % number for number in range(101)) + b"\r\n",
        b"GET /" + b"x" * 33_000 + b" HTTP/1.1\r\n\r\n",
        START + b"x-endless: " + b"x" * 2_000_000,
    ],
    ids=["one large header", "many middling ones", "too many", "a long path", "one without end"],
)
def test_a_head_that_is_too_large_is_refused_in_the_envelope(api: Api, head: bytes) -> None:
    answer = sent(url(api), head)
    assert answer.status == 431
    assert answer.envelope["params"]["err"] == "REQUEST_HEADER_FIELDS_TOO_LARGE"
    assert answer.headers["connection"] == "close"


def test_trailers_are_bounded_as_headers_are(api: Api) -> None:
    chunked = START + b"transfer-encoding: chunked\r\n\r\n0\r\n"
    with connected(url(api)) as connection:
        connection.sendall(chunked + b"".join(b"x-%d: %s\r\n" % (number, b"x" * 2000) for number in range(20)))
        assert b" 431 " in rest(connection)


def test_a_trailer_is_no_header(api: Api) -> None:
    """A gateway may have looked at the head alone."""
    body = b'{"request": {"groupId": "g1"}}'
    trailer = f"authorization: Bearer {api.keys.token()}\r\n".encode()
    chunks = b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailer)
    assert sent(url(api), START + trailer + b"transfer-encoding: chunked\r\n\r\n" + chunks).status == 200
    assert sent(url(api), START + b"transfer-encoding: chunked\r\n\r\n" + chunks).status == 401


WISHES = b"connection: upgrade, http2-settings, close\r\nhttp2-settings: AAMAAABk\r\n%s: h2c\r\n"


@pytest.mark.parametrize("name", [b"upgrade", b"Upgrade", b"UPGRADE"])
def test_who_wishes_for_another_protocol_is_answered_in_this_one(api: Api, name: bytes) -> None:
    """Java's own client does, with every first request."""
    body = b'{"request": {"groupId": "g1"}}'
    head = START + f"authorization: Bearer {api.keys.token()}\r\ncontent-length: {len(body)}\r\n".encode()
    answer = sent(url(api), head + WISHES % name + b"\r\n" + body)
    assert (answer.status, answer.envelope["result"]["groupId"]) == (200, "g1")


def test_the_body_of_such_a_request_is_no_request(api: Api) -> None:
    body = GET + b"connection: close\r\n\r\n"
    with connected(url(api)) as connection:
        connection.sendall(START + b"content-length: %d\r\n" % len(body) + b"connection: upgrade\r\nupgr")
        time.sleep(SEND_SECONDS)
        connection.sendall(b"ade: h2c\r\n\r\n")
        time.sleep(SEND_SECONDS)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(body)
        assert rest(connection).count(b"HTTP/1.1 ") == 1


def test_a_length_of_thousands_of_digits_is_a_length(api: Api) -> None:
    assert sent(url(api), START + b"content-length: " + b"0" * 5000 + b"2\r\n\r\n{}").status == 401


def test_a_head_within_the_bounds_is_read(api: Api) -> None:
    many = b"".join(b"x-%d: %s\r\n" % (number, b"x" * 300) for number in range(90))
    assert sent(url(api), GET + many + b"connection: close\r\n\r\n").status == 200


def test_an_idle_connection_is_closed(api: Api) -> None:
    with connected(url(api)) as connection:
        assert rest(connection) == b""


def test_a_connection_that_is_idle_after_an_answer_is_closed(api: Api) -> None:
    with connected(url(api)) as connection:
        connection.sendall(GET + b"\r\n")
        assert parsed(rest(connection)).status == 200


def test_a_head_that_does_not_end_is_not_waited_for_however_often_a_byte_comes(api: Api) -> None:
    with connected(url(api)) as connection:
        connection.sendall(START + b"x-slow: ")
        connection.settimeout(SEND_SECONDS)
        answer = drip(connection)
    assert b" 408 " in answer
    assert parsed(answer).envelope["params"]["err"] == "REQUEST_TIMEOUT"


def test_a_body_that_does_not_end_is_not_waited_for(api: Api) -> None:
    with connected(url(api)) as connection:
        connection.sendall(START + b"content-length: 60000\r\n\r\n")
        connection.settimeout(SEND_SECONDS)
        answer = drip(connection)
    assert parsed(answer).envelope["params"]["err"] == "REQUEST_TIMEOUT"


def drip(connection: object) -> bytes:
    """Sends a byte again and again until there is an answer, and the connection is closed."""
    while True:
        try:
            connection.sendall(b"x")  # type: ignore[attr-defined]
            part = connection.recv(65536)  # type: ignore[attr-defined]
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return b""
        connection.settimeout(60)  # type: ignore[attr-defined]
        return bytes(part) + rest(connection)  # type: ignore[arg-type]


def test_who_is_refused_for_a_body_cannot_go_on_sending_it(api: Api) -> None:
    answer = sent(url(api), START + b"content-length: 99999999\r\n\r\n" + b"x" * 100_000)
    assert answer.envelope["params"]["err"] == "PAYLOAD_TOO_LARGE"


def test_one_connection_too_many_is_told_so_and_the_others_are_served(api: Api) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(connected(url(api))) for _ in range(CONNECTIONS)]
        held[0].sendall(GET + b"\r\n")
        assert b" 200 " in held[0].recv(65536)
        refused = parsed(rest(stack.enter_context(connected(url(api)))))
    assert (refused.status, refused.envelope["params"]["errmsg"]) == (503, "There are too many connections: try again.")
    while sent(url(api), GET + b"connection: close\r\n\r\n").status != 200:
        time.sleep(0.05)
    assert f"{CONNECTIONS} connections, as many as api.max_connections allows" in api.errors.read_text()


@pytest.mark.parametrize(
    "data", [b"no HTTP at all\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"]
)
def test_what_is_not_http_is_refused_in_the_envelope(api: Api, data: bytes) -> None:
    answer = sent(url(api), data)
    assert (answer.status, answer.envelope["params"]["err"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("path", [f"{GROUP}/", "/health/live/", "/openapi.json/", "//evil.example.org/"])
def test_nobody_is_led_elsewhere(api: Api, path: str) -> None:
    for method in ("GET", "POST"):
        response = api.client.request(method, path, headers={"host": "evil.example.org"})
        assert refusal(response)[:3] == (404, "RESOURCE_NOT_FOUND", "NOT_FOUND")
        assert "location" not in response.headers


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/data/metrics", "/openapi.json"])
def test_a_head_is_answered_where_get_is(api: Api, path: str) -> None:
    plain = {"accept-encoding": "identity"}
    response = api.client.head(path, headers=plain)
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) == len(api.client.get(path, headers=plain).content)


def test_nothing_of_all_this_is_a_bug(api: Api) -> None:
    assert "Traceback" not in api.errors.read_text()
