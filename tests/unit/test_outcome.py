"""What a report says became of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from activity_aggregates.report.outcome import details, headline, outcome
from tests.harness.records import left_by_a_killed_run

RUN = replace(left_by_a_killed_run(), phases={"start Spark": 2.0, "read progress": 9.0}, counts={"written": 1200})
JAVA = """Py4JJavaError: An error occurred while calling o1234.count.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 3 in stage 7.0 failed 1 times
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2898)
"""


@pytest.mark.parametrize(
    ("status", "message", "sentence"),
    [
        ("succeeded", "", "It wrote 1,200 rows in 90 s."),
        ("dry_run", "", "It wrote nothing: it was to compare only."),
        (
            "superseded",
            "superseded by run b with as_of 2026-01-02: nothing was written",
            "superseded by run b with as_of",
        ),
        (
            "stopped",
            "40 of 50 enrolments are refused: …",
            "A check stopped it before its first write: 40 of 50 enrolments",
        ),
        (
            "failed",
            JAVA,
            'It failed while it was at "read progress": SparkException: Job aborted due to stage failure: Task',
        ),
        ("interrupted", "it was interrupted", 'It was interrupted while it was at "read progress".'),
        ("lost", "", 'It ended without a word while it was at "read progress": its process was killed'),
        ("applying", "", 'It is under way, while it was at "read progress".'),
    ],
)
def test_a_run_is_told_in_a_sentence(status: str, message: str, sentence: str) -> None:
    run = replace(RUN, status=status, message=message, finished_at=RUN.started_at + timedelta(seconds=90))
    assert outcome(run).startswith(sentence)
    assert "\n" not in outcome(run)


def test_a_run_that_failed_at_once_has_no_phase_to_name() -> None:
    run = replace(RUN, status="failed", message="Cassandra did not answer", phases={})
    assert outcome(run) == "It failed before its first phase had ended: Cassandra did not answer"


def test_what_java_says_besides_is_told_apart_and_a_sentence_is_not_told_twice() -> None:
    assert details(replace(RUN, status="failed", message=JAVA)) == JAVA
    assert details(replace(RUN, status="failed", message="Cassandra did not answer")) == ""


def test_a_headline_is_no_longer_than_can_be_read() -> None:
    assert len(headline("x" * 2000)) < 310
