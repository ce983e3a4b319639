"""Small nasty sources, drawn by Hypothesis: few users, courses and batches, so that everything collides."""

import json
import math
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.model import Attempt, Enrolment, Group, GroupAttempt, GroupMember, Progress, Source, TimeSpent

COLLECTION = "application/vnd.ekstep.content-collection"
USERS = ["u1", "u2", "u3", "u4"]
COURSES = ["c1", "c2", "c10"]
NEVER_READ = ["c404", "c1.img"]
BATCHES = ["b1", "b2"]
UNITS = ["n1", "n2", "n3", "c2"]
LEAVES = ["l1", "l2", "l3", "l4", "q1", "q2"]
WIDE_LEAVES = [f"w{number:03}" for number in range(140)]
DAY = 24 * 60 * 60 * 1000
TIMES = [1_767_225_600_000 + day * DAY for day in (0, 1)]  # 2026-01-01 and the day after
ODD_TIMES = [-1, 0, 250_000_000_000_000]  # 1969, 1970, and a year of four digits
BLANKS = [None, "", " ", "\u3000", "\u00a0\x1c"]
STATUSES = [0, 1, 1, 2, 2, 2, None]
SCORES = [0.0, 0.29, 1.0, 1.33, 2.0, 3.0, 57.0]
SECONDS = [0.0, 0.4994, 0.5, 0.75, 1.25, 61.0005, 3600.0, 1e9]

Tree = dict[str, Any]
T = TypeVar("T")


def mostly(usual: Sequence[T], otherwise: Sequence[T]) -> st.SearchStrategy[T]:
    """One of the usual values; one time in sixteen another one."""
    return rarely(st.sampled_from(otherwise), st.sampled_from(usual))


def rarely(other: st.SearchStrategy[T], usual: st.SearchStrategy[T], one_in: int = 16) -> st.SearchStrategy[T]:
    """Hypothesis likes the ends of a range of numbers more than chance does, but not those of a list of choices."""
    return st.sampled_from([usual] * (one_in - 1) + [other]).flatmap(lambda chosen: chosen)


def nodes(above: frozenset[str], depth: int) -> st.SearchStrategy[Tree]:
    """A leaf or, where it is not too deep and would not contain itself, a unit."""
    units = sorted({*UNITS} - above)
    return rarely(collections(units, above, depth), leaves(), one_in=3) if units and depth < 3 else leaves()


@st.composite
def leaves(draw: st.DrawFn) -> Tree:
    mime_type: Tree = draw(st.sampled_from([{"mimeType": "video/mp4"}, {"mimeType": None}, {}]))
    no_children: Tree = draw(st.sampled_from([{}, {"children": []}, {"children": None}, {"leafNodes": ["l1"]}]))
    return {"identifier": draw(st.sampled_from(LEAVES)), **mime_type, **no_children, **draw(placements())}


@st.composite
def collections(draw: st.DrawFn, identifiers: list[str], above: frozenset[str], depth: int) -> Tree:
    identifier = draw(st.sampled_from(identifiers))
    node: Tree = {"identifier": identifier, "mimeType": COLLECTION, **draw(placements())}
    if draw(st.sampled_from([True, True, True, True, False])):
        node["children"] = draw(st.lists(nodes(above | {identifier}, depth + 1), min_size=1, max_size=5))
        node["mimeType"] = draw(mostly([COLLECTION], ["video/mp4", None]))
    else:
        node |= draw(st.sampled_from([{}, {"children": []}, {"children": None}]))
    if draw(st.booleans()):
        node["leafNodes"] = draw(st.lists(st.sampled_from(LEAVES), max_size=3))
    return node


def placements() -> st.SearchStrategy[Tree]:
    """What belongs to one position of a node: whether it is optional there, and whether it is retired."""
    plain: list[Tree] = [{}, {"status": "Live"}, {"relationalMetadata": {"optional": False}}]
    optional: list[Tree] = [{"relationalMetadata": {"optional": True}}]
    odd: list[Tree] = [
        {"status": "Retired"},
        {"relationalMetadata": {"optional": "true"}},
        {"relationalMetadata": {"optional": "TRUE"}},
        {"relationalMetadata": {"optional": "yes"}},
        {"relationalMetadata": {"optional": None}},
        {"relationalMetadata": None},
    ]
    return mostly([*plain, *optional], odd)


@st.composite
def wide_trees(draw: st.DrawFn, course_id: str) -> Tree:
    """More leaves than one or two machine words have bits, in units that overlap."""
    size = draw(st.sampled_from([64, 65, 128, 129, 140]))
    leaf_nodes = [{"identifier": leaf, "mimeType": "video/mp4", **draw(placements())} for leaf in WIDE_LEAVES[:size]]
    units = [
        {"identifier": f"wide-{start}", "mimeType": COLLECTION, "children": leaf_nodes[start : start + 45]}
        for start in range(0, size, 40)
    ]
    return {"identifier": course_id, "mimeType": COLLECTION, "children": units}


def trees(course_id: str) -> st.SearchStrategy[Tree]:
    return rarely(wide_trees(course_id), narrow_trees(course_id), one_in=8)


@st.composite
def narrow_trees(draw: st.DrawFn, course_id: str) -> Tree:
    root = draw(collections([course_id, course_id, "do_root"], frozenset({course_id, "do_root"}), depth=0))
    root.pop("status", None)
    return root


@st.composite
def broken_trees(draw: st.DrawFn, course_id: str) -> Tree:
    """A tree with a node that it must not have (or, as the last one is retired, may have) deep inside."""
    intruder = draw(
        st.sampled_from(
            [
                {"mimeType": "video/mp4"},
                {"identifier": "", "mimeType": "video/mp4"},
                {"identifier": None, "mimeType": "video/mp4"},
                {"identifier": course_id, "mimeType": COLLECTION},
                {"identifier": "n9", "mimeType": COLLECTION, "children": [{"identifier": "l1"}]},
                {"mimeType": "video/mp4", "status": "Retired"},
            ]
        )
    )
    tree = draw(trees(course_id))
    around = {"identifier": "n9", "mimeType": COLLECTION, "children": [intruder]}
    return tree | {"children": [*(tree.get("children") or []), around]}


def hierarchies(course_id: str) -> st.SearchStrategy[str | None]:
    empty = {
        "identifier": course_id,
        "mimeType": COLLECTION,
        "children": [{"identifier": "n1", "mimeType": COLLECTION}],
    }
    retired = {"identifier": course_id, "status": "Retired", "children": [{"identifier": "l1"}]}
    no_trees = [None, "", " ", "{not json", "null", "[]", '{"children": []}']
    other_trees = [json.dumps(empty), json.dumps(retired)]
    broken = broken_trees(course_id).map(json.dumps)
    bad = st.one_of(broken, st.sampled_from(other_trees), st.sampled_from(no_trees))
    good = trees(course_id).map(json.dumps)
    return rarely(bad, rarely(good.map(with_an_odd_escape), good, one_in=6), one_in=5)


def with_an_odd_escape(text: str) -> str:
    """Names as the platform's writers store them: with a backslash before a character that JSON does not escape."""
    return text.replace('"identifier"', r'"name": "a teacher\'s", "identifier"')


Place = tuple[str | None, str | None, str | None]


def places(enrolments: list[Enrolment]) -> st.SearchStrategy[Place]:
    strange = rarely(st.sampled_from(BLANKS), st.sampled_from(NEVER_READ), one_in=2)
    courses = rarely(strange, st.sampled_from(COURSES), one_in=12)
    anywhere = st.tuples(mostly(USERS, BLANKS), courses, mostly(BATCHES, BLANKS))
    enrolled = [(row.user_id, row.course_id, row.batch_id) for row in enrolments]
    return rarely(anywhere, st.sampled_from(enrolled), one_in=6) if enrolled else anywhere


@st.composite
def enrolment_rows(draw: st.DrawFn) -> Enrolment:
    user, course, batch = draw(places([]))
    active = draw(st.sampled_from([True, True, None, False]))
    status, completed_on = draw(mostly(STATUSES, [9, -1])), draw(mostly([None], TIMES))
    certificates = draw(st.sampled_from([None, None, [], [{"name": "merit"}]]))
    return Enrolment(user, course, batch, active, status, completed_on, draw(dates()), draw(dates()), certificates)


def dates() -> st.SearchStrategy[int | None]:
    return mostly([None, *TIMES, TIMES[0] + DAY - 1], ODD_TIMES)


@st.composite
def progress_rows(draw: st.DrawFn, enrolments: list[Enrolment]) -> list[Progress]:
    """A learner's rows: some contents, now and then a stretch of those of a wide course."""
    place = draw(places(enrolments))
    contents: list[str | None] = draw(st.lists(mostly(LEAVES, [*BLANKS, "foreign", "n1"]), min_size=1, max_size=6))
    if draw(st.sampled_from([True, False, False])):
        start, stop = draw(st.integers(0, 139)), draw(st.integers(1, 140))
        contents += WIDE_LEAVES[start:stop]
    status = draw(mostly(STATUSES, [9]))
    others = draw(st.lists(mostly(STATUSES, [9]), min_size=6, max_size=6))
    date = draw(dates())
    return [Progress(*place, content, others[i] if i < 6 else status, date) for i, content in enumerate(contents)]


@st.composite
def attempt_rows(draw: st.DrawFn, enrolments: list[Enrolment]) -> Attempt:
    user, course, batch = draw(places(enrolments))
    return Attempt(course, batch, user, *draw(taken()))


@st.composite
def group_attempt_rows(draw: st.DrawFn) -> GroupAttempt:
    group, user = draw(mostly(["g1", "g2"], [*BLANKS, "g404"])), draw(mostly(USERS, [*BLANKS, "u404"]))
    content, attempt, score, maximum, date = draw(taken())
    return GroupAttempt(group, content, user, attempt, score, maximum, date)


Taken = tuple[str | None, str | None, float | None, float | None, int | None]


@st.composite
def taken(draw: st.DrawFn) -> Taken:
    """The rest of an attempt: content, attempt, score, maximum and date."""
    content = draw(mostly(["q1", "q2", "outside"], BLANKS))
    attempt = draw(mostly(["t1", "t2", "t3"], BLANKS))
    score = draw(mostly(SCORES, [None, math.nan, math.inf, -1.0]))
    none = [None, math.nan, -math.inf, -1.0]
    maximum = draw(st.sampled_from([3.0, *none]) if score is None else mostly([3.0, 3.0, 1.0, 0.0], none))
    return content, attempt, score, maximum, draw(st.sampled_from([*TIMES, None]))


AnyAttempt = TypeVar("AnyAttempt", bound=Attempt | GroupAttempt)


def without_ties(attempts: list[AnyAttempt]) -> list[AnyAttempt]:
    """Rows that differ in nothing but the maximum have no best one: only the first stays."""
    first: dict[tuple[object, ...], AnyAttempt] = {}
    for attempt in attempts:
        first.setdefault(but_the_maximum(attempt), attempt)
    return list(first.values())


def but_the_maximum(attempt: Attempt | GroupAttempt) -> tuple[object, ...]:
    return tuple(value for name, value in attempt._asdict().items() if name != "total_max_score")


@st.composite
def timespent_rows(draw: st.DrawFn, enrolments: list[Enrolment]) -> TimeSpent:
    return TimeSpent(*draw(places(enrolments)), draw(mostly(SECONDS, [None, math.nan, math.inf, -1.0, 2e9])))


@st.composite
def group_activities(draw: st.DrawFn) -> dict[str, str | None]:
    activity = draw(
        rarely(
            st.tuples(st.sampled_from([None, "", "Playlist"]), st.sampled_from([None, "", "c1"])),
            st.one_of(
                st.tuples(
                    st.sampled_from(["Course", "Course", "course", "TextBook"]), st.sampled_from([*COURSES, "c404"])
                ),
                st.tuples(st.just("CourseUnit"), st.sampled_from(UNITS)),
                st.tuples(st.just("Quiz"), st.sampled_from(["q1", "q2", "outside"])),
            ),
        )
    )
    return {"type": activity[0], "id": activity[1]}


def groups() -> st.SearchStrategy[list[Group]]:
    activities = rarely(st.none(), st.lists(group_activities(), min_size=2, max_size=6))
    statuses = mostly(["active"], ["inactive", None])
    rows = st.builds(Group, st.sampled_from(["g1", "g2", "g3"]), st.just("A group"), statuses, activities)
    return st.lists(rows, min_size=1, max_size=3, unique_by=lambda row: row.group_id)


def group_members() -> st.SearchStrategy[list[GroupMember]]:
    statuses = st.sampled_from(["active", "active", "active", "inactive", None])
    ids = st.sampled_from(["g1", "g2", "g404"])
    rows = st.builds(GroupMember, ids, st.sampled_from([*USERS, "u404"]), statuses, st.just("member"))
    return st.lists(rows, min_size=3, max_size=10, unique_by=lambda row: (row.group_id, row.user_id))


@st.composite
def sources(draw: st.DrawFn) -> Source:
    enrolments = draw(st.lists(enrolment_rows(), min_size=6, max_size=14))
    progress = draw(st.lists(progress_rows(enrolments), min_size=6, max_size=14))
    attempts = draw(st.lists(attempt_rows(enrolments), min_size=4, max_size=12))
    stored = {course: draw(hierarchies(course)) for course in [*COURSES, "c1.img"]}
    return Source(
        enrolments=enrolments,
        progress=[row for rows in progress for row in rows],
        hierarchies=stored,
        attempts=without_ties(attempts),
        groups=draw(groups()),
        group_members=draw(group_members()),
        group_attempts=without_ties(draw(st.lists(group_attempt_rows(), max_size=8))),
        timespent=draw(st.lists(timespent_rows(enrolments), max_size=8)),
    )
