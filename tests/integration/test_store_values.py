"""What cases write into the source tables, and what the harness reads of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cassandra.cluster import Session

from tests.harness.environment import Environment, environment

BEYOND = 1764144000000000000
KEY = {"userid": "u1", "courseid": "c1", "batchid": "b1"}


@pytest.fixture(scope="module")
def made(cassandra: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with environment(cassandra, tmp_path_factory.mktemp("values")) as created:
        yield created


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
    made.session.execute(f"CREATE TABLE {made.targets}.days (id text PRIMARY KEY, day date)")
    store = type(made.store)(made.session, [made.targets])
    store.load("days", [{"id": "d", "day": "2026-01-31"}])
    assert store.stored("days") == store.expected("days", [{"id": "d", "day": "2026-01-31"}])
