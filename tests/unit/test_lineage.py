"""Events of runs: what they say, to whom, and that nobody who cannot be told stops a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from openlineage.client.serde import Serde

from activity_aggregates import configuration
from activity_aggregates.errors import BadRequest
from activity_aggregates.request.scope import Scope
from activity_aggregates.settings import Settings
from activity_aggregates.store.records import RunRecord
from activity_aggregates.watching.events import ended
from activity_aggregates.watching.lineage import Lineage, lineage
from tests.harness.records import left_by_a_killed_run

COUNTS = {"read.enrolments": 40, "written.activity_agg": 3, "written.activity_user_agg": 0, "written": 3}


def chosen(**flags: Any) -> Settings:
    named = {f"lineage.{name}": value for name, value in flags.items()}
    return configuration.load(None, {}, named | {"target.keyspace": "aggregates"}).settings


def record(status: str = "succeeded", **fields: Any) -> RunRecord:
    began = left_by_a_killed_run()
    ended_at = began.started_at + timedelta(minutes=1)
    return replace(began, status=status, counts=COUNTS, finished_at=ended_at, **fields)


def told(of: RunRecord) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(Serde.to_json(ended(of, chosen(), of.started_at)))
    return event


def test_a_run_is_one_of_one_job_also_where_it_turns_out_to_be_a_full_one(tmp_path: Path) -> None:
    records = iter([record("running", command="run --incremental"), record()])
    with lineage(chosen(path=str(tmp_path / "events")), {}).told(lambda: next(records)):
        pass
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event["job"]["name"] for event in events] == ["aggregates.run --incremental"] * 2


def test_a_run_tells_what_it_has_read_and_written_and_how_many_rows() -> None:
    event = told(record())
    assert (event["eventType"], event["job"]["name"]) == ("COMPLETE", "aggregates.run")
    read = {each["name"]: each["inputFacets"].get("inputStatistics", {}).get("rowCount") for each in event["inputs"]}
    assert (read["sunbird_courses.user_enrolments"], read["dev_hierarchy_store.content_hierarchy"]) == (40, None)
    assert {each["namespace"] for each in event["inputs"]} == {"cassandra://127.0.0.1:9042"}
    assert {each["name"]: each["outputFacets"]["outputStatistics"]["rowCount"] for each in event["outputs"]} == {
        "aggregates.activity_agg": 3, "aggregates.activity_user_agg": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("dry_run", "COMPLETE"), ("superseded", "ABORT"), ("interrupted", "ABORT"), ("stopped", "FAIL"),
        ("failed", "FAIL"), ("applying", "FAIL"),
    ],
)  # fmt: skip
def test_what_became_of_a_run_is_the_kind_of_its_event(status: str, state: str) -> None:
    event = told(record(status, message="a limit was passed"))
    assert event["eventType"] == state
    assert ("errorMessage" in event["run"]["facets"]) == (state != "COMPLETE")


def test_no_event_names_a_learner() -> None:
    assert "u-jaya" not in json.dumps(told(record("failed", scope=Scope(users=frozenset({"u-jaya"})))))


def test_a_run_that_is_resumed_goes_on_under_the_id_that_it_had() -> None:
    begun = record("failed")
    resumed = replace(begun, status="succeeded")
    assert told(begun)["run"]["runId"] == told(resumed)["run"]["runId"]
    assert told(replace(begun, run_id="another"))["run"]["runId"] != told(begun)["run"]["runId"]


def test_a_file_gets_a_line_for_the_beginning_and_one_for_the_end(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    telling = lineage(chosen(path=str(file)), {})
    with telling.told(record):
        assert [json.loads(line)["eventType"] for line in file.read_text().splitlines()] == ["START"]
    with pytest.raises(ZeroDivisionError), telling.told(lambda: record("failed")):
        _ = 1 / 0
    kinds = [json.loads(line)["eventType"] for line in file.read_text().splitlines()]
    assert kinds == ["START", "COMPLETE", "START", "FAIL"]


def test_a_backend_is_told_with_its_key() -> None:
    asked: list[tuple[str, str | None, str]] = []

    class Backend(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers["Authorization"], event["eventType"]))
            self.send_response(201)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing is said of it."""

    with HTTPServer(("127.0.0.1", 0), Backend) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with lineage(chosen(url=url), {"LINEAGE_API_KEY": "a-key-of-some-length"}).told(record):
            pass
        server.shutdown()
    assert asked == [("/api/v1/lineage", "Bearer a-key-of-some-length", kind) for kind in ("START", "COMPLETE")]


@pytest.mark.parametrize(
    "where", [lambda _: {"url": "http://127.0.0.1:9"}, lambda folder: {"path": str(folder / "no" / "events.jsonl")}]
)
def test_who_cannot_be_told_is_one_warning_and_stops_no_run(
    where: Callable[[Path], dict[str, str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    telling = lineage(chosen(**where(tmp_path)), {})
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with telling.told(record):
                pass
    (line,) = caplog.messages
    assert line.startswith("no events of lineage from here on: ")


def test_what_cannot_be_sent_as_it_is_stops_no_run_either(caplog: pytest.LogCaptureFixture) -> None:
    class Encoding:
        def emit(self, event: object) -> None:
            "ё".encode("latin-1")

    transport: Any = Encoding()
    with caplog.at_level(logging.WARNING), Lineage(chosen(), transport).told(record):
        pass
    assert len(caplog.messages) == 1


def test_a_backend_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"lineage\.url nowhere is no URL: write one like"):
        lineage(chosen(url="nowhere"), {})
    with pytest.raises(BadRequest, match="are both set"):
        lineage(chosen(url="http://127.0.0.1:9", path="events.jsonl"), {})
