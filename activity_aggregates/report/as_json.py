"""The report of a run in the types of JSON: what the page shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from activity_aggregates.report.contents import LargestChanges, Report, refusals, rows_by_table
from activity_aggregates.report.outcome import outcome
from activity_aggregates.report.runs import as_plain
from activity_aggregates.report.standing import CourseStanding, QuizStanding, Standing

_RUNS = 30
_STEPS = ("enrolled", "started", "reached25", "reached50", "reached75", "completed")
_BANDS = ("below25", "from25", "from50", "from75")


def plain(report: Report) -> dict[str, Any]:
    """One object; instants and days in ISO-8601."""
    counts = report.run.counts
    return {
        "run": as_plain(report.run),
        "outcome": outcome(report.run),
        "written_at": report.written_at.isoformat(),
        "rows_by_table": [asdict(row) for row in rows_by_table(counts)],
        "refusals": [asdict(refusal) for refusal in refusals(counts)],
        "limits": [asdict(limit) | {"share": round(limit.share, 6)} for limit in report.limits],
        "largest_changes": None
        if report.changes is None
        else {each.table.name: _changes(each, report) for each in report.changes},
        "completion": _completion(report.standing),
        "scores": _scores(report.standing),
        "days": None if report.days is None else [asdict(day) | {"day": day.day.isoformat()} for day in report.days],
        "history": [as_plain(run) for run in report.history[:_RUNS]],
    }


def _changes(changes: LargestChanges, report: Report) -> list[dict[str, Any]]:
    """Each row with the name of its activity, null where it has none."""
    return [asdict(row) | {"name": report.names.get(changes.activity(row))} for row in changes.rows]


def _completion(standing: Standing) -> dict[str, Any]:
    return {
        "all": _steps(standing.all_courses),
        "largest": [
            {"course_id": course.course_id, "name": course.name} | _steps(course) for course in standing.largest
        ],
        "courses": standing.courses,
        "is_whole": standing.is_whole,
    }


def _steps(course: CourseStanding) -> dict[str, float]:
    """The counts, and completed of enrolled in percent."""
    return dict(zip(_STEPS, course.steps, strict=True)) | {"percentage": course.percentages[-1]}


def _scores(standing: Standing) -> dict[str, Any] | None:
    if standing.all_quizzes is None:
        return None
    return {
        "all": _bands(standing.all_quizzes),
        "most_taken": [{"quiz_id": quiz.quiz_id, "name": quiz.name} | _bands(quiz) for quiz in standing.most_taken],
        "quizzes": standing.quizzes,
    }


def _bands(quiz: QuizStanding) -> dict[str, int]:
    return dict(zip(_BANDS, quiz.bands, strict=True))
