"""A server with other settings than the defaults: audiences, whose metrics are seen, origins, logs, profile."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.harness.api import ACTIVITY, EARLIER, GROUP, Api, api_settings, key_pair, refusal, result, served, values
from tests.harness.environment import Environment
from tests.harness.log_lines import message, objects
from tests.harness.raw_http import sent
from tests.harness.roles import API, let_read
from tests.harness.waiting import wait_until
from tests.integration.api.conftest import BIG_GROUP, member, members

OF_C1: dict[str, Any] = {"groupId": "g1", "activityId": "c1", "activityType": "Course"}
PORTAL = "https://portal.example.org"
UUID_ = UUID("0f7d6c1e-6a0b-4f0e-9d9e-0d4f9a0a7c11")
COLUMNS = {
    "languages": "set<text>",
    "marks": "map<text, double>",
    "roles": "list<text>",
    "photo": "blob",
    "big": "varint",
    "born": "date",
    "seen": "timestamp",
    "visits": "list<timestamp>",
    "uid": "uuid",
    "session": "timeuuid",
    "sessions": "list<timeuuid>",
    "logins": "map<timestamp, text>",
    "last_exam": "frozen<odd_exam>",
    "price": "decimal",
    "rank": "int",
    "place": "frozen<tuple<text, int>>",
    "parts": "map<text, blob>",
}
TIMEUUID = UUID("b36e4700-e6a0-11f0-8de9-0242ac120002")
LOGINS = f"{{'2026-01-01T00:00:00Z': 'web', {10**18}: 'app'}}"
BEYOND = 10**18  # milliseconds that no calendar has


@pytest.fixture(scope="module")
def api(world: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder, keys = tmp_path_factory.mktemp("choices"), key_pair()
    make_users(world)
    make_members(world)
    let_read(world.session, API, f"{world.sources}.odd_user", f"{world.sources}.odd_member")
    settings = {
        "sources": {
            "group_members": {"table": "odd_member"},
            "users": {"format": "cassandra", "keyspace": world.sources, "table": "odd_user"},
        },
        "log": {"format": "json"},
        "api": {
            **api_settings(folder, keys),
            "audience": ["portal", "mobile"],
            "member_scores": {"roles": ["admin"]},
            "cors_origins": [PORTAL],
            "access_log": True,
            "metrics_address": "127.0.0.1:0",
            "profile": {"name": ["firstname", "rank"], "visit": "seen", **{name: name for name in COLUMNS}},
        },
    }
    with served(world.configure(settings, folder), keys) as api:
        yield api


def make_users(world: Environment) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    world.session.execute(f"CREATE TYPE IF NOT EXISTS {world.sources}.odd_exam (at timestamp, sites set<text>)")
    world.session.execute(
        f"CREATE TABLE IF NOT EXISTS {world.sources}.odd_user (id text PRIMARY KEY, firstname text, {columns})"
    )
    world.session.execute(
        f"INSERT INTO {world.sources}.odd_user (id, firstname, languages, marks, roles, "
        "photo, big, born, seen, visits, uid, session, sessions, logins, last_exam, price, rank, place, parts) VALUES "
        "('u1', 'Asha', {'hi', 'en'}, {'a': 1.5, 'b': NaN}, ['x', 'y'], "
        f"0xff, {2**70}, '2001-02-03', {BEYOND}, ['2026-01-01T00:00:00Z', {BEYOND}], {UUID_}, "
        f"{TIMEUUID}, [{TIMEUUID}], {LOGINS}, {{at: {BEYOND}, sites: {{'b', 'a'}}}}, 1.50, 7, ('p', 3), "
        "{'a': 0x00})"
    )


def make_members(world: Environment) -> None:
    """The table of members without who has added them."""
    table = f"{world.sources}.odd_member"
    world.session.execute(
        f"CREATE TABLE IF NOT EXISTS {table} "
        "(groupid text, userid text, status text, role text, PRIMARY KEY (groupid, userid))"
    )
    insert = world.session.prepare(f"INSERT INTO {table} (groupid, userid, status, role) VALUES (?, ?, ?, ?)")
    for row in [*members("g1"), *(member("big", user) for user in BIG_GROUP)]:
        world.session.execute(insert, [row[name] for name in ("groupid", "userid", "status", "role")])


def token(api: Api, user: str, **claims: Any) -> str:
    return api.keys.token(user, **{"aud": "mobile", **claims})


def ask(api: Api, path: str, user: str, headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
    given = {"authorization": f"Bearer {token(api, user)}", **(headers or {})}
    return api.client.post(path, json={"request": request}, headers=given)


def test_what_a_user_has_is_shown_as_json_has_it_and_left_out_where_it_has_not(api: Api) -> None:
    first, *_ = result(ask(api, ACTIVITY, "u1", **OF_C1))["activity"]["members"]
    assert {key: first[key] for key in first if key not in ("id", "role", "agg")} == {
        "name": "Asha 7",
        "languages": ["en", "hi"],
        "marks": {"a": 1.5},
        "roles": ["x", "y"],
        "big": str(2**70),
        "born": "2001-02-03",
        "seen": None,
        "visit": None,
        "visits": ["2026-01-01T00:00:00Z", None],
        "uid": str(UUID_),
        "session": str(TIMEUUID),
        "sessions": [str(TIMEUUID)],
        "logins": {"2026-01-01T00:00:00Z": "web"},
        "last_exam": {"at": None, "sites": ["a", "b"]},
        "price": "1.50",
        "rank": 7,
        "place": ["p", 3],
        "parts": {},
    }


@pytest.mark.parametrize(
    ("audience", "status"), [("portal", 200), (["other", "mobile"], 200), ("other", 401), (None, 401)]
)
def test_one_of_several_audiences_is_enough(api: Api, audience: object, status: int) -> None:
    given = token(api, "u1", aud=audience)
    assert api.post(GROUP, {"request": {"groupId": "g1"}}, given).status_code == status


def test_an_admin_sees_everybodys_metrics_and_a_member_the_own_ones(api: Api) -> None:
    admin, member = (result(ask(api, ACTIVITY, user, **OF_C1))["activity"] for user in ("u1", "u4"))
    assert [bool(each["agg"]) for each in admin["members"]] == [True, False, True]
    assert [bool(each["agg"]) for each in member["members"]] == [False, False, True]
    assert values(member["agg"]) == values(admin["agg"])


def test_clients_in_the_field_are_not_shown_who_is_not_to_be_seen(api: Api) -> None:
    answer = result(ask(api, EARLIER, "u4", **OF_C1))
    assert [member["userId"] for member in answer["members"]] == ["u4"]
    assert answer["activity"]["agg"][0]["value"] == 2


def test_who_has_added_a_member_need_not_be_known(api: Api) -> None:
    answer = result(ask(api, EARLIER, "u1", **OF_C1))
    assert [member["createdBy"] for member in answer["members"]] == [None, None]
    assert "Undefined column name createdby" in api.errors.read_text()


def managed(api: Api, parent: str, child: str, **claims: Any) -> dict[str, str]:
    """The header of a managed user's token as the platform makes it: neither issuer nor audience."""
    given = {"iss": None, "aud": None, "sub": child, "parentId": parent, **claims}
    return {"x-authenticated-for": api.keys.token(**given)}


def test_a_managed_user_is_served_for_who_manages_it(api: Api) -> None:
    assert refusal(ask(api, GROUP, "parent", groupId="g1"))[0] == 403
    assert ask(api, GROUP, "parent", managed(api, "parent", "u1"), groupId="g1").status_code == 200
    assert refusal(ask(api, GROUP, "u1", managed(api, "u1", "u9"), groupId="g1"))[0] == 403


@pytest.mark.parametrize(
    "claims",
    [{"parentId": "another"}, {"parentId": None}, {"sub": None}, {"exp": 1}, {"exp": None}, {"iss": "https://evil"}],
)
def test_a_managed_users_token_that_does_not_fit_is_refused(api: Api, claims: dict[str, Any]) -> None:
    headers = managed(api, "parent", "u1", **claims)
    assert ask(api, GROUP, "parent", headers, groupId="g1").status_code == 401


def test_a_managed_users_token_names_no_caller(api: Api) -> None:
    alone = managed(api, "parent", "u1")["x-authenticated-for"]
    assert api.post(GROUP, {"request": {"groupId": "g1"}}, alone).status_code == 401
    other = {"x-authenticated-for": key_pair().token("u1", parentId="parent")}
    assert ask(api, GROUP, "parent", other, groupId="g1").status_code == 401


def test_a_page_of_a_known_origin_may_ask(api: Api) -> None:
    asks = {"origin": PORTAL, "access-control-request-method": "POST"}
    allowed = api.client.options(GROUP, headers=asks)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, PORTAL)
    assert "x-authenticated-user-token" in allowed.headers["access-control-allow-headers"]
    refused = api.client.post(GROUP, headers={"origin": PORTAL})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PORTAL)


def test_a_page_of_another_origin_may_not(api: Api) -> None:
    for method in ("OPTIONS", "POST"):
        headers = {"origin": "https://evil.example.org", "access-control-request-method": "POST"}
        response = api.client.request(method, GROUP, headers=headers)
        assert "access-control-allow-origin" not in response.headers


def test_large_answers_are_zipped_for_who_takes_that(api: Api) -> None:
    body = json.dumps({"request": {"groupId": "big", "activityId": "c1", "activityType": "Course"}}).encode()
    head = f"POST {ACTIVITY} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
    head += f"authorization: Bearer {token(api, 'm000')}\r\naccept-encoding: %s\r\n\r\n"
    url = str(api.client.base_url)
    zipped, plain = (sent(url, (head % coding).encode() + body) for coding in ("gzip", "gzip;q=0"))
    assert (zipped.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert json.loads(gzip.decompress(zipped.body))["result"] == plain.envelope["result"]
    assert len(zipped.body) * 4 < len(plain.body)
    assert "content-encoding" not in api.client.get("/health/live").headers


@pytest.mark.parametrize(
    ("header", "params", "answered"),
    [
        ("from-header", None, "from-header"),
        ("from-header", {"msgid": "from-body"}, "from-body"),
        ("from-header", {"msgid": 7}, None),
        ("from-header", {"msgid": None}, "from-header"),
        (None, {"msgid": "x" * 65}, None),
        (None, {"msgid": "two\nlines"}, None),
        (None, {"msgid": "ünï 1"}, "ünï 1"),
        ("x" * 65, [], None),
        (None, "params", None),
        ("n°7", None, "n°7"),
    ],
)
def test_the_id_of_a_message_is_answered_as_it_was_sent(
    api: Api, header: str | None, params: object, answered: str | None
) -> None:
    headers = {b"authorization": f"Bearer {token(api, 'u1')}".encode()}
    if header:
        headers[b"X-msgid"] = header.encode()
    for request, status in (({"groupId": "g1"}, 200), ({}, 400)):
        response = api.client.post(GROUP, json={"params": params, "request": request}, headers=headers)
        assert (response.status_code, response.json()["params"]["msgid"]) == (status, answered)


@pytest.mark.parametrize("oddity", ["1" * 300, "[" * 300 + "]" * 300, "-0.0"])
def test_an_id_that_is_none_refuses_nothing(api: Api, oddity: str) -> None:
    body = f'{{"params": {{"msgid": {oddity}}}, "request": {{"groupId": "g1"}}}}'
    response = api.client.post(GROUP, content=body, headers={"authorization": f"Bearer {token(api, 'u1')}"})
    assert (response.status_code, response.json()["params"]["msgid"]) == (200, None)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_no_body(api: Api, number: str) -> None:
    body = f'{{"request": {{"groupId": "g1", "unknown": {number}}}}}'
    response = api.client.post(GROUP, content=body, headers={"authorization": f"Bearer {token(api, 'u1')}"})
    assert (response.status_code, response.json()["params"]["err"]) == (400, "INVALID_REQUESTED_DATA")


def test_before_the_body_is_read_only_the_header_is_known(api: Api) -> None:
    response = api.client.post(GROUP, json={"params": {"msgid": "body"}}, headers={"X-msgid": "header"})
    assert (response.status_code, response.json()["params"]["msgid"]) == (401, "header")


def lines(api: Api) -> list[dict[str, Any]]:
    return objects(api.errors.read_text().splitlines())


def test_every_request_is_a_line_of_json_that_an_answer_leads_to(api: Api) -> None:
    response = ask(api, GROUP, "u1", {"X-msgid": "m1"}, groupId="g1")
    resmsgid = response.json()["params"]["resmsgid"]
    wait_until(lambda: resmsgid in api.errors.read_text())
    (line,) = [line for line in lines(api) if line.get("resmsgid") == resmsgid]
    assert (line["route"], line["status"], line["msgid"]) == (f"POST {GROUP}", 200, "m1")
    assert {"time", "level", "seconds", "caller"} <= set(line)
    again = ask(api, GROUP, "u1", groupId="g1").json()["params"]["resmsgid"]
    wait_until(lambda: again in api.errors.read_text())
    assert [each["caller"] for each in lines(api) if each.get("resmsgid") == again] == [line["caller"]]


def test_what_is_refused_before_it_is_a_request_is_a_line_too(api: Api) -> None:
    answer = sent(str(api.client.base_url), b"no HTTP at all\r\n\r\n")
    resmsgid = answer.envelope["params"]["resmsgid"]
    wait_until(lambda: resmsgid in api.errors.read_text())
    (line,) = [line for line in lines(api) if line.get("resmsgid") == resmsgid]
    assert (line["route"], line["status"]) == ("none", 400)


def test_why_a_token_is_refused_is_said_once_and_never_the_token(api: Api) -> None:
    expired = token(api, "u1", exp=1767225600)
    for _ in range(3):
        assert api.post(GROUP, {}, expired).status_code == 401
    said = [line["message"] for line in lines(api) if line.get("message", "").startswith("401")]
    assert said.count("401: a token was refused: it has expired") == 1
    assert expired not in api.errors.read_text()


def test_prometheus_is_told_on_an_address_of_its_own(api: Api) -> None:
    assert api.process.stdout
    url = message(api.process.stdout.readline()).removeprefix("metrics on ")
    ask(api, GROUP, "u1", groupId="g1")
    api.post(GROUP, {}, None)

    def told() -> str:
        return httpx.get(url).text

    wait_until(lambda: "activity_aggregates_api_store_up 1.0" in told())
    page = told()
    assert f'activity_aggregates_api_requests_total{{route="{GROUP}",status="200"}}' in page
    assert f'activity_aggregates_api_request_seconds_bucket{{le="0.005",route="{GROUP}"}}' in page
    assert 'activity_aggregates_api_refused_tokens_total{reason="no token was sent"}' in page
    assert "activity_aggregates_api_reads_under_way" in page
    assert refusal(api.client.get("/metrics"))[0] == 404
