"""What cases write into the source tables, and what the harness reads of them."""

from __future__ import annotations

from tests.harness.environment import Environment

BEYOND = 1764144000000000000
KEY = {"userid": "u1", "courseid": "c1", "batchid": "b1"}


def test_a_time_beyond_what_a_date_can_hold_is_stored_put_back_and_read_as_its_number(made: Environment) -> None:
    rows = [{**KEY, "completedon": BEYOND, "enrolled_date": "2026-01-01T00:00:00Z"}]
    made.store.load("user_enrolments", rows)
    made.restore(made.store.snapshot())
    assert [row["completedon"] for row in made.store.stored("user_enrolments")] == [BEYOND]
    assert [row["enrolled_date"].isoformat() for row in made.store.stored("user_enrolments")] == [
        "2026-01-01T00:00:00+00:00"
    ]


def test_certificates_are_a_list_of_maps(made: Environment) -> None:
    certificates = [{"name": "Algebra", "lastIssuedOn": "2026-01-01"}]
    made.store.load("user_enrolments", [{**KEY, "userid": "u2", "issued_certificates": certificates}])
    stored = {row["userid"]: row["issued_certificates"] for row in made.store.stored("user_enrolments")}
    assert [dict(certificate) for certificate in stored["u2"]] == certificates


def test_a_day_is_written_and_read_as_its_text(made: Environment) -> None:
    day = {"activity_type": "Course", "activity_id": "c1", "context_id": "cb:b1", "day": "2026-01-31"}
    made.store.load("activity_day_agg", [day])
    (stored,) = made.store.stored("activity_day_agg")
    assert {**stored, **day} == stored
