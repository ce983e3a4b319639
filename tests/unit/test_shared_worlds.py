"""Cases that share a world: the order of their commands, and their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.case import Case, parse_case
from tests.harness.pool import worlds
from tests.harness.pooled import Pooled
from tests.harness.renaming import under
from tests.harness.schedule import Command, scheduled
from tests.harness.turns import added_up, turns_of, united

FULL: dict[str, Any] = {"run": {}}
SINCE = {"run": {"args": ["--incremental"]}}
ONE = {"run": {"args": ["--user", "u1"]}}
PUBLISHED = {"command": {"args": ["verify", "--published"]}}
NOTHING = {"expect_run": {"written": 0}}
CHANGE = {"load": {"user_enrolments": [{"userid": "u1", "courseid": "c1", "batchid": "b1"}]}}
RESTS = {"a": (PUBLISHED, SINCE), "b": (SINCE, PUBLISHED), "c": (FULL,)}


def case(*steps: object, **settings: object) -> Case:
    return parse_case({"why": "a test", "settings": settings, "steps": [*steps]})


def commands(name: str, *steps: object) -> list[Command]:
    return Pooled(Path(f"{name}.yaml"), case(*steps)).commands


def order(*cases: list[Command]) -> list[tuple[str, str]]:
    """The commands of a world, each with the cases that run it, a letter each."""
    left = [iter(own) for own in cases]
    found = []
    for numbers in scheduled(cases):
        keys = {next(left[number]).key for number in numbers}
        assert len(keys) == 1
        found.append((keys.pop(), "".join("abc"[number] for number in sorted(numbers))))
    assert [*map(list, left)] == [[] for _ in cases], "each has run all of its own"
    return found


def test_what_is_next_in_most_cases_is_run_once_for_all_of_them() -> None:
    a, b, c = commands("a", FULL, FULL), commands("b", FULL, SINCE, FULL), commands("c", SINCE)
    assert order(a, b, c) == [("run", "ab"), ("run --incremental", "bc"), ("run", "ab")]


def test_nothing_that_settles_comes_between_a_change_of_some_learners_and_what_the_case_settles_it_by() -> None:
    a, b, c = (commands(name, FULL, ONE, *rest) for name, rest in RESTS.items())
    assert order(a, b, c) == [
        ("run", "abc"), ("run --user", "ab"), ("verify --published", "a"), ("run --incremental", "ab"),
        ("verify --published", "b"), ("run --user", "c"), ("run", "c"),
    ]  # fmt: skip


def test_a_look_at_the_sums_comes_before_anything_that_could_mend_them() -> None:
    a, b = commands("a", SINCE, PUBLISHED, FULL), commands("b", SINCE, FULL)
    assert order(a, b) == [("run --incremental", "ab"), ("verify --published", "a"), ("run", "ab")]


def test_a_run_that_is_to_write_nothing_is_shared_by_those_that_expect_it_when_the_others_are_done() -> None:
    a, b, c = commands("a", FULL, FULL, NOTHING), commands("b", FULL, SINCE, FULL, NOTHING), commands("c", FULL, FULL)
    assert order(a, b, c) == [
        ("run", "abc"), ("run --incremental", "b"), ("run", "c"), ("run that writes nothing", "ab"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "steps",
    [
        (FULL, {"expect_run": {"written": {"activity_agg": 2}}}),
        (FULL, {"expect_run": {"status": "succeeded"}}),
        ({"run": {"exit": 1}},),
    ],
)
def test_what_says_something_of_a_whole_run_is_run_for_one_case(steps: tuple[object, ...]) -> None:
    assert order(commands("a", *steps), commands("b", *steps)) == [("run of a.yaml", "a"), ("run of b.yaml", "b")]


def test_runs_as_of_a_time_come_in_the_order_of_their_times_and_before_those_of_now() -> None:
    first, second = ({"run": {"args": ["--as-of", f"2026-01-0{day}T00:00:00Z"]}} for day in (1, 2))
    a, b = commands("a", first, second, FULL), commands("b", second, FULL)
    assert [users for _, users in order(a, b)] == ["a", "ab", "ab"]


def test_what_runs_under_other_settings_comes_last() -> None:
    a = commands("a", FULL, {"settings": {"metrics": {"families": ["completion"]}}}, FULL)
    b = commands("b", FULL, SINCE, {"command": {"args": ["verify"]}})
    assert [users for _, users in order(a, b)] == ["ab", "b", "b", "a"]


def test_steps_are_done_directly_before_and_after_the_commands_of_their_case() -> None:
    expected: dict[str, Any] = {"expect": {"activity_agg": []}}
    turns = turns_of(case(CHANGE, FULL, expected, NOTHING, CHANGE, expected, SINCE))
    assert [[step.number for step in turn.before] for turn in turns] == [[1], [5, 6]]
    assert [[step.number for step in turn.after] for turn in turns] == [[3, 4], []]


def test_a_command_of_several_cases_has_the_scopes_and_the_files_of_all() -> None:
    given = [case({"run": {"args": ["--user", user, "--user", "u9"]}}).steps[0] for user in ("u1", "u2")]
    assert united(given).content["args"] == ["--user", "u1", "--user", "u9", "--user", "u2", "--user", "u9"]
    files = [{"args": ["--changed", "some.csv"], "files": {"some.csv": f"{user},c1,b1\n"}} for user in ("u1", "u2")]
    together = united([case({"run": each}).steps[0] for each in files])
    assert together.content == {"args": ["--changed", "some.csv"], "files": {"some.csv": "u1,c1,b1\nu2,c1,b1\n"}}


def test_counts_of_cases_that_run_together_are_added_up() -> None:
    assert added_up([{"refused.missing_key": 1}, {"refused.missing_key": 2, "written": 0}, {"written": 0}]) == {
        "refused.missing_key": 3,
        "written": 0,
    }


def test_every_id_of_a_case_is_its_own_wherever_it_stands() -> None:
    found = under(
        "p1-",
        case(
            {
                "load": {
                    "content_hierarchy": {"c1": {"course": "c1", "children": ["A", {"unit": "n1"}]}},
                    **CHANGE["load"],
                }
            },
            {"run": {"args": ["--user", "u1", "--changed", "u1.csv"], "files": {"u1.csv": "u1,c1,b1\n"}}},
            {"expect": {"activity_user_agg": [{"user_id": "u1", "context_id": "cb:b1", "agg": {"score:A": 1}}]}},
        ),
    )
    assert [step.content for step in found.steps] == [
        {
            "content_hierarchy": {"p1-c1": {"course": "p1-c1", "children": ["p1-A", {"unit": "p1-n1"}]}},
            "user_enrolments": [{"userid": "p1-u1", "courseid": "p1-c1", "batchid": "p1-b1"}],
        },
        {"args": ["--user", "p1-u1", "--changed", "p1-u1.csv"], "files": {"p1-u1.csv": "p1-u1,p1-c1,p1-b1\n"}},
        {"activity_user_agg": [{"user_id": "p1-u1", "context_id": "cb:p1-b1", "agg": {"score:p1-A": 1}}]},
    ]


def test_a_case_sees_its_own_rows_without_the_metrics_of_families_that_others_have_on() -> None:
    own = Pooled(Path("a.yaml"), case(), "p1-")
    row = {
        "activity_type": "Quiz",
        "activity_id": "p1-q",
        "agg": {"enrolledCount": 1.0, "reached25Count": 1.0, "x": 2.0},
    }
    other = {"activity_type": "Course", "activity_id": "p11-c1", "agg": {}}
    assert own.seen("activity_agg", [row, other]) == [{**row, "agg": {"enrolledCount": 1.0, "x": 2.0}}]
    course = {**row, "activity_type": "Course"}
    assert own.seen("activity_agg", [course]) == [course], "courses have it without the family"
    assert (own.knows("activity_day_agg"), own.knows("activity_metadata")) == (False, True)


def test_cases_share_a_world_whose_settings_differ_in_what_is_computed_besides(tmp_path: Path) -> None:
    said = {
        "a": "why: a\nsteps: [run: {}]",
        "b": "why: b\nsettings: {metrics: {families: [completion, dates]}}\nsteps: [run: {}]",
        "c": "why: c\nsettings: {limits: {refused_share: 0.5}}\nsteps: [run: {}]",
        "d": "why: d\nsteps: [run: {args: [--as-of, '2026-01-01T00:00:00Z']}]",
        "e": "why: e\nsteps: [run: {args: [--set, metrics.completion=current]}]",
    }
    files = [tmp_path / f"{name}.yaml" for name in said]
    for file, text in zip(files, said.values(), strict=True):
        file.write_text(text)
    assert [[file.stem for file in each] for each in worlds(files)] == [["a", "b"], ["c"], ["d"], ["e"]]
