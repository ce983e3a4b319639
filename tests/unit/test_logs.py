"""Lines of the log as objects: whoever writes them, they keep to the schema."""

from __future__ import annotations

import logging
import sys

import pytest

from activity_aggregates import logs
from jobs.__main__ import main
from tests.harness.log_lines import objects

Captured = pytest.CaptureFixture[str]


def test_every_line_is_an_object_whoever_writes_it(capsys: Captured) -> None:
    with logs.saying("json", is_answer=False):
        print("first", "line\n\nsecond", end="")
        print("of nobody", file=sys.stderr)
        logging.getLogger("somewhere").warning("look at %s", "this")
        logs.tell_result("3 rows written", written=3)
        logs.tell_error("program", "no such file: name another", 2)
    out, errors = capsys.readouterr()
    print("after")
    assert capsys.readouterr().out == "after\n"
    assert [line["message"] for line in objects(out.splitlines())] == ["first line", "second", "3 rows written"]
    assert [(line["level"], line["message"]) for line in objects(errors.splitlines())] == [
        ("warning", "of nobody"), ("warning", "look at this"), ("error", "no such file: name another"),
    ]  # fmt: skip


def test_a_command_that_failed_is_not_spoken_of_any_more() -> None:
    with pytest.raises(ZeroDivisionError), logs.saying("", is_answer=True), logs.about(run_id="r1", phase="divide"):
        _ = 1 / 0
    assert logs.entry("info", "nothing to do", logs.instant(1767601800.025), phase="start Spark", rows=None) == (
        '{"time": "2026-01-05T08:30:00.025Z", "level": "info", "phase": "start Spark", "message": "nothing to do"}'
    )


def test_what_is_said_of_a_run_names_it_and_its_phase(capsys: Captured) -> None:
    def name() -> tuple[str | None, str | None]:
        print("here", file=sys.stderr)
        (line,) = objects(capsys.readouterr().err.splitlines())
        return line.get("run_id"), line.get("phase")

    with logs.saying("json", is_answer=True):
        with logs.about(run_id="r1"):
            with logs.about(phase="read"):
                assert name() == ("r1", "read")
            assert name() == ("r1", None)
        assert name() == (None, None)
        with pytest.raises(ZeroDivisionError), logs.about(run_id="r2"), logs.about(phase="divide"):
            _ = 1 / 0
        assert name() == ("r2", "divide")
    with logs.saying("json", is_answer=True):
        assert name() == (None, None)


def test_lines_of_spark_get_what_they_are_about(capsys: Captured) -> None:
    of_log4j = '{"time":"2026-01-05T08:30:00.025Z","level":"warning","message":"slow","logger":"org.apache.spark"}'
    with logs.saying("json", is_answer=False), logs.about(run_id="r1"):
        for line in (of_log4j, ":: loading settings ::", '{"time" is not all'):
            logs.relay(line, "spark")
    found = objects(capsys.readouterr().err.splitlines())
    assert [(line["message"], line["logger"]) for line in found] == [
        ("slow", "org.apache.spark"), (":: loading settings ::", "spark"), ('{"time" is not all', "spark"),
    ]  # fmt: skip
    assert found[0]["time"] == "2026-01-05T08:30:00.025Z"
    assert {line["run_id"] for line in found} == {"r1"}


def test_a_command_that_fails_says_so_as_an_object(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["run", "--set", "log.format=json", "--set", "lease.ttl=60", "--resume", "last", "--incremental"]) == 2
    monkeypatch.setenv("ACTIVITY_AGGREGATES__LOG__FORMAT", "json")
    assert main(["run", "--nothing"]) == 2
    assert [(line["level"], line["exit_code"]) for line in objects(capsys.readouterr().err.splitlines())] == [
        ("error", 2)
    ] * 2


def test_a_bug_is_an_object_with_its_traceback(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.config.call", lambda configuration, arguments: 1 // 0)
    assert main(["config", "show", "--set", "log.format=json"]) == 1
    (line,) = objects(capsys.readouterr().err.splitlines())
    assert (line["level"], line["message"]) == ("critical", "ZeroDivisionError: integer division or modulo by zero")
    assert line["exception"].startswith("Traceback")


def test_what_a_command_is_asked_for_is_no_log(capsys: Captured) -> None:
    assert main(["config", "show", "--set", "log.format=json"]) == 0
    assert capsys.readouterr().out.startswith("cassandra:\n")
