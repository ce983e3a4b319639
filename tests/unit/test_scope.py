"""Scopes, the files that name learners and pairs, and what is kept of them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from activity_aggregates.errors import BadRequest
from activity_aggregates.request.flags import add_scope, scope_of
from activity_aggregates.request.pairs import Pair, read_pairs, sealed_pairs
from activity_aggregates.request.scope import EVERYTHING, Scope, SealedLearners, users_file

SECRET = b"a secret of sixteen"
ONE = Scope(users=frozenset({"learner-1"}))


def file(folder: Path, content: bytes) -> Path:
    path = folder / "ids.txt"
    path.write_bytes(content)
    return path


def test_the_first_id_of_a_file_that_a_spreadsheet_saved_is_an_id(tmp_path: Path) -> None:
    assert users_file(file(tmp_path, b"\xef\xbb\xbfu1\r\nu2\r\n")) == ["u1", "u2"]


def test_blank_lines_and_comments_name_nobody(tmp_path: Path) -> None:
    assert users_file(file(tmp_path, b"# who asked\n\n u1 \n")) == ["u1"]


def test_an_id_ends_where_its_line_does_and_at_no_other_sign(tmp_path: Path) -> None:
    assert users_file(file(tmp_path, "u\u20281\r\nu\x852\r\n".encode())) == ["u\u20281", "u\x852"]


def test_all_files_that_are_named_count(tmp_path: Path) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("u1\n", "utf-8")
    second.write_text("u2\n", "utf-8")
    parser = ArgumentParser()
    add_scope(parser)
    asked = parser.parse_args(["--users-file", str(first), "--user", "u3", "--users-file", str(second)])
    assert scope_of(asked).users == {"u1", "u2", "u3"}


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"# nobody\n", "ü".encode("latin-1"), "u1".encode("utf-16")])
def test_a_file_that_names_nobody_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadRequest, match="--users-file"):
        users_file(file(tmp_path, content))


def test_what_is_recorded_of_learners_is_their_number_and_a_digest() -> None:
    sealed = Scope(users=frozenset({"learner-1", "learner-2"}), contexts=frozenset({"cb:b1"})).sealed(SECRET)
    assert "learner-" not in sealed.to_json()
    assert sealed.describe() == "cb:b1, 2 learners"
    assert Scope.from_json(sealed.to_json()) == sealed


def test_a_scope_with_ids_is_not_recorded() -> None:
    with pytest.raises(ValueError, match="sealed"):
        ONE.to_json()


def test_the_same_learners_have_the_same_digest_and_another_secret_another_one() -> None:
    assert ONE.sealed(SECRET) == ONE.sealed(SECRET)
    assert ONE.sealed(SECRET) != Scope(users=frozenset({"learner-2"})).sealed(SECRET)
    assert len({ONE.sealed(secret) for secret in (SECRET, b"another secret", b"")}) == 3


def test_of_ids_that_earlier_versions_recorded_only_the_number_is_taken() -> None:
    before = Scope.from_json('{"contexts": ["cb:b1"], "users": ["learner-1", "learner-2"]}')
    assert before == Scope(contexts=frozenset({"cb:b1"}), learners=SealedLearners(2, ""))


def test_a_scope_of_learners_says_how_many_they_are_and_never_who() -> None:
    assert (ONE.describe(), ONE.sealed(SECRET).describe()) == ("1 learner", "1 learner")
    assert not ONE.is_full
    assert not ONE.sealed(SECRET).is_full


@pytest.mark.parametrize("others", [(["c1"], [], []), ([], ["cb:b1"], []), ([], [], ["u1"])])
def test_groups_beside_anything_else_are_refused(others: tuple[list[str], list[str], list[str]]) -> None:
    activities, contexts, users = others
    with pytest.raises(BadRequest, match="--group goes alone"):
        Scope.parse(activities, contexts, ["g1"], users)


@pytest.mark.parametrize("other", [EVERYTHING, Scope(contexts=frozenset({"cb:b2"})), Scope(groups=frozenset({"g1"}))])
def test_a_scope_of_learners_meets_every_other(other: Scope) -> None:
    in_a_context = Scope(contexts=frozenset({"cb:b1"}), users=ONE.users)
    for scope in (ONE, in_a_context, in_a_context.sealed(SECRET)):
        assert scope.intersects(other)
        assert other.intersects(scope)


def test_scopes_of_contexts_meet_in_a_context() -> None:
    one, two = (Scope(contexts=frozenset({f"cb:b{n}"})) for n in (1, 2))
    assert not one.intersects(two)
    assert one.intersects(Scope(contexts=one.contexts | two.contexts))
    assert one.intersects(EVERYTHING)


def test_scopes_of_activities_may_meet_in_a_context() -> None:
    course, unit = Scope.parse(["Course:c1"], [], [], []), Scope.parse(["CourseUnit:u1"], [], [], [])
    assert course.intersects(unit)
    assert course.intersects(Scope.parse(["Course:c2"], [], [], []))  # they may have batches in common


def test_pairs_are_read_with_and_without_a_line_of_names(tmp_path: Path) -> None:
    rows = "u1,c1,b1\r\n\r\n u2 ,c1,b2\r\n"
    expected = (Pair("u1", "c1", "b1"), Pair("u2", "c1", "b2"))
    assert read_pairs(file(tmp_path, rows.encode())) == expected
    assert read_pairs(file(tmp_path, b"\xef\xbb\xbfuser_id,course_id,batch_id\n" + rows.encode())) == expected


def test_a_pair_may_be_quoted(tmp_path: Path) -> None:
    assert read_pairs(file(tmp_path, b'"u,1",c1,b1\n')) == (Pair("u,1", "c1", "b1"),)


def test_a_line_break_in_a_field_is_counted_as_a_line(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"ids\.txt, line 4: write user_id,course_id,batch_id"):
        read_pairs(file(tmp_path, b'u1,c1,b1\n"u\n2",c1,b1\nu3,c1\n'))


@pytest.mark.parametrize("line", ["u1,c1", "u1,c1,b1,x", "u1,,b1"])
def test_a_line_that_is_not_a_pair_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadRequest, match=r"ids\.txt, line 2: write user_id,course_id,batch_id"):
        read_pairs(file(tmp_path, f"u1,c1,b1\n{line}\n".encode()))


@pytest.mark.parametrize(
    ("lines", "reason"), [(2, "unexpected end of data"), (20_000, r"field larger than field limit \(131072\)")]
)
def test_a_quotation_that_never_ends_is_refused(tmp_path: Path, lines: int, reason: str) -> None:
    with pytest.raises(BadRequest, match=rf"cannot be read \({reason}\): name a CSV file"):
        read_pairs(file(tmp_path, b'u1,c1,"b1\n' + b"u1,c1,b1\n" * lines))


def test_an_id_that_is_longer_than_any_is_refused(tmp_path: Path) -> None:
    long = "x" * 1025
    with pytest.raises(BadRequest, match=r"ids\.txt, line 2: no id is longer than 1024 bytes"):
        read_pairs(file(tmp_path, f"u1,c1,b1\nu1,c1,{long}\n".encode()))
    for contexts, groups in (([f"cb:{long * 2}"], []), ([], [long * 2])):
        with pytest.raises(BadRequest, match="goes on: no id is longer than 1024 bytes"):
            Scope.parse([], contexts, groups, [])


@pytest.mark.parametrize("content", [b"", b"user_id,course_id,batch_id\n"])
def test_a_file_without_pairs_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadRequest, match="names no pair"):
        read_pairs(file(tmp_path, content))


def test_of_pairs_is_kept_how_many_they_are() -> None:
    scope = Scope(
        learners=sealed_pairs([Pair("u1", "c1", "b1"), Pair("u1", "c1", "b1"), Pair("u1", "c2", "b1")], SECRET)
    )
    assert scope.describe() == "2 pairs"
    assert "u1" not in scope.to_json()
