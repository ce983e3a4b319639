"""Sources in files: every format gives the same frames, and what is unreadable is refused, never a null."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType, _parse_datatype_string

from activity_aggregates import settings
from activity_aggregates.errors import BadRequest
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    BATCHES,
    ENROLMENTS,
    GROUPS,
    HIERARCHIES,
    PROGRESS,
    TIMESPENT,
    Sources,
    despite_dates,
    fields,
)
from activity_aggregates.spark.session import translated_spark
from activity_aggregates.store.erased import Erased
from metrics.groups import assess_group_activities
from metrics.quizzes import assess_attempts
from metrics.trees.hierarchy import outline
from tests.harness.files import ENROLMENT_COLUMNS, Opens, source

# Deployed under names of their own, with a column that nobody asked for; empty fields are null.
FILES = {
    "enrolments": """who,what,batchid,active,status,completedon,enrolled_date,lastcontentaccesstime,note
u1,c1,b1,true,2,2026-01-01T05:30:00+05:30,1767261600000,,x
u2,c1,b1,false,1,,,2026-01-03,
u3,c1,b1,,,,,,""",
    "progress": """userid,courseid,batchid,contentid,status,last_access_time
u1,c1,b1,l1,2,2026-01-01 00:00:00.000000+0000
u1,c1,b1,l2,,""",
    "hierarchies": """identifier,hierarchy
c1,{}""",
    "attempts": """course_id,batch_id,user_id,content_id,attempt_id,total_score,total_max_score,last_attempted_on
c1,b1,u1,Q,t1,1.5,3,2026-01-01T00:00:00Z
c1,b1,u1,Q,t2,2,3,""",
}
NO_TEXTS = {"true", "false", "1", "2", "3", "1.5", "1767261600000"}
COLUMNS: dict[str, dict[str, str | None]] = {"enrolments": {"user_id": "who", "course_id": "what"}}
# As text, in which a time is that of UTC whatever the machine's own.
EXPECTED: dict[str, set[tuple[str | None, ...]]] = {
    "enrolments": {
        ("u1", "c1", "b1", "true", "2", "2026-01-01 00:00:00", "2026-01-01 10:00:00", None, None, "false"),
        ("u2", "c1", "b1", "false", "1", None, None, "2026-01-03 00:00:00", None, "false"),
        ("u3", "c1", "b1", None, None, None, None, None, None, "false"),
    },
    "progress": {
        ("u1", "c1", "b1", "l1", "2", "2026-01-01 00:00:00", "false"),
        ("u1", "c1", "b1", "l2", None, None, "false"),
    },
    "hierarchies": {("c1", "{}")},
    "attempts": {
        ("c1", "b1", "u1", "Q", "t1", "1.5", "3.0", "2026-01-01 00:00:00", "false"),
        ("c1", "b1", "u1", "Q", "t2", "2.0", "3.0", None, "false"),
    },
}


@pytest.fixture(params=["csv", "json", "parquet"])
def opened(spark: SparkSession, opens: Opens, request: pytest.FixtureRequest, tmp_path: Path) -> Sources:
    """The files in one format; in JSON a number is a number, in Parquet all is text."""
    for name, text in FILES.items():
        write(spark, text, request.param, tmp_path / name)
    return opens(**{name: source(tmp_path / name, request.param, COLUMNS.get(name)) for name in FILES})


def write(spark: SparkSession, text: str, kind: str, path: Path) -> None:
    header, *rows = [line.split(",") for line in text.splitlines()]
    if kind == "csv":
        path.write_text(text)
    elif kind == "json":
        records = [{key: json_value(value) for key, value in zip(header, row, strict=True) if value} for row in rows]
        path.write_text("\n".join(json.dumps(record) for record in records))
    else:
        texts = [[value or None for value in row] for row in rows]
        spark.createDataFrame(texts, ", ".join(f"{name} string" for name in header)).write.parquet(str(path))


def json_value(text: str) -> Any:
    return json.loads(text) if text in NO_TEXTS else text


def simple(schema: DataType) -> list[tuple[str, DataType]]:
    """Names and types, whatever is said of nulls."""
    assert isinstance(schema, StructType)
    return [(field.name, field.dataType) for field in schema]


def test_every_format_gives_the_same_rows_of_the_declared_types(opened: Sources) -> None:
    for table in (ENROLMENTS, PROGRESS, HIERARCHIES, ATTEMPTS):
        frame = opened.frame(table)
        assert simple(frame.schema) == simple(_parse_datatype_string(table.frame_schema))
        texts = frame.select(*(F.col(name).cast("string") for name in frame.columns))
        assert {tuple(row) for row in texts.collect()} == EXPECTED[table.name]


def test_a_source_that_is_not_configured_has_no_rows_of_its_schema(opened: Sources) -> None:
    assert (opened.has(ATTEMPTS), opened.has(GROUPS)) == (True, False)
    assert opened.frame(GROUPS).columns == ["group_id", "status", "activities"]
    assert opened.frame(GROUPS).isEmpty()


def test_an_unreadable_value_of_any_column_refuses_its_row_and_leaves_the_others(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "enrolments.csv"
    file.write_text(f"""{ENROLMENT_COLUMNS}
u1,c1,b1,true,two,,,
u2,c1,b1,perhaps,1,,,
u3,c1,b1,true,1,yesterday,,
u4,c1,b1,true,2.5,,,
u5,c1,b1,,,,,""")
    found = opens(enrolments=source(file)).frame(ENROLMENTS).collect()
    assert {row.user_id: row.status for row in found} == {"u1": -1, "u2": -1, "u3": 1, "u4": -1, "u5": None}
    assert [row.user_id for row in found if row.has_invalid_date] == ["u3"]


def test_an_unreadable_score_or_date_refuses_the_attempt(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "attempts.csv"
    file.write_text("""course_id,batch_id,user_id,content_id,attempt_id,total_score,total_max_score,last_attempted_on
c1,b1,u1,Q,t1,many,3,
c1,b1,u1,Q,t2,2,all,
c1,b1,u1,Q,t3,2,3,never
c1,b1,u1,Q,t4,2,3,""")
    rows = assess_attempts(opens(attempts=source(file)).frame(ATTEMPTS)).collect()
    assert {row.attempt_id: row.problem for row in rows} == {
        "t1": "invalid_score", "t2": "invalid_score", "t3": "invalid_date", "t4": None,
    }  # fmt: skip


def test_the_activities_of_a_group_may_be_json_and_unreadable_ones_are_refused(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("""id;status;activities
g1;active;[{"id": "c1", "type": "Course"}]
g2;active;[{broken
g3;active;
g4;active;[]""")
    frame = opens(groups=source(file, sep=";", quote="")).frame(GROUPS)
    assert {(row.group_id, row.activity_id, row.problem) for row in assess_group_activities(frame).collect()} == {
        ("g1", "c1", None),
        ("g2", None, "missing_key"),
    }


def test_optional_columns_that_are_not_deployed_or_left_out_are_null_and_told(opens: Opens, tmp_path: Path) -> None:
    enrolments, progress = tmp_path / "enrolments.csv", tmp_path / "progress.csv"
    enrolments.write_text(f"{ENROLMENT_COLUMNS}\nu1,c1,b1,,,,,\n")
    progress.write_text("userid,courseid,batchid,contentid,status,last_access_time\nu1,c1,b1,A,2,never\n")
    opened = opens(enrolments=source(enrolments), progress=source(progress, columns={"accessed_on": None}))
    assert opened.absent_columns == {"enrolments": ("certificates",), "progress": ("accessed_on",)}
    assert [row.certificates for row in opened.frame(ENROLMENTS).collect()] == [None]
    assert [(row.accessed_on, row.has_invalid_date) for row in opened.frame(PROGRESS).collect()] == [(None, False)]


def test_a_column_that_must_be_there_may_not_be_left_out(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "progress.csv"
    file.write_text("userid,courseid,batchid,contentid,status\n")
    with pytest.raises(BadRequest, match=r"progress \(.* has no column status \(null in its columns\)\)"):
        opens(progress=source(file, columns={"status": None}))


def test_of_the_new_and_the_old_date_of_a_batch_one_is_enough(opens: Opens, tmp_path: Path) -> None:
    old, new, neither = (tmp_path / name for name in ("old.csv", "new.csv", "neither.csv"))
    old.write_text("courseid,startdate,enddate\nc1,2026-01-01,never\n")
    new.write_text("courseid,start_date,end_date\nc1,2026-01-01T00:00:00Z,never\n")
    neither.write_text("courseid,startdate\nc1,2026-01-01\n")
    assert [tuple(row) for row in opens(batches=source(old)).frame(BATCHES).collect()] == [
        ("c1", "2026-01-01", "never", None, None, False)
    ]
    rows = (
        opens(batches=source(new)).frame(BATCHES).selectExpr("start_date", "unix_millis(starts_at)", "has_invalid_date")
    )
    assert [tuple(row) for row in rows.collect()] == [(None, 1767225600000, True)]
    with pytest.raises(BadRequest, match="has no column end_date or enddate"):
        opens(batches=source(neither))


def test_a_hierarchy_in_a_json_file_is_a_text_or_an_object(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "hierarchies.json"
    tree = {"identifier": "c1", "name": "Teacher's day", "Name": 1, "children": [{"identifier": "A", "size": 2.5}]}
    nested = json.dumps({"identifier": "c1", "hierarchy": tree}).replace("'", r"\'")
    lines = [nested, json.dumps({"identifier": "c2", "hierarchy": json.dumps(tree)}), '{"identifier": "c3", broken']
    file.write_text("\n".join([*lines, '{"identifier": "c4", "hierarchy": null}']))
    found = opens(hierarchies=source(file, "json")).frame(HIERARCHIES).collect()
    outlines = {row.course_id: outline(row.course_id, row.hierarchy, {"name": "name"}) for row in found}
    assert [outlines[course].leaves for course in ("c1", "c2")] == [{"A": 0}, {"A": 0}]
    assert outlines["c1"].described["c1"] == {"name": "Teacher's day"}
    assert outlines["c4"].problem == "missing_hierarchy"
    assert outlines.keys() == {"c1", "c2", None, "c4"}


def test_trees_in_a_json_file_may_have_nodes_of_any_kind(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "hierarchies.json"
    trees: list[Any] = [{"identifier": "c1", "children": ["A"]}, {"identifier": "c1", "children": {"a": 1}}, [], 7, "{"]
    file.write_text("\n".join(json.dumps({"identifier": "c1", "hierarchy": tree}) for tree in trees))
    found = opens(hierarchies=source(file, "json")).frame(HIERARCHIES).collect()
    assert [outline("c1", row.hierarchy).problem for row in found] == ["invalid_hierarchy"] * 5


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_id_in_the_name_of_a_folder_stays_as_it_is(
    spark: SparkSession, opens: Opens, tmp_path: Path, kind: str
) -> None:
    names = ENROLMENT_COLUMNS.split(",")
    rows = [("u1", "c1", "0178309055557272981", *[None] * 5), ("u2", "c1", "1e10", *[None] * 5)]
    frame = spark.createDataFrame(rows, ", ".join(f"{name} string" for name in names))
    frame.write.partitionBy("batchid").format(kind).option("header", "true").save(str(tmp_path / "enrolments"))
    found = opens(enrolments=source(tmp_path / "enrolments", kind)).frame(ENROLMENTS).select("user_id", "batch_id")
    assert {tuple(row) for row in found.collect()} == {("u1", "0178309055557272981"), ("u2", "1e10")}


def test_a_parquet_file_with_dates_that_spark_has_not_is_told_of(opens: Opens, tmp_path: Path) -> None:
    names = FILES["progress"].partition("\n")[0].split(",")
    rows = {name: ["1"] for name in names[:-1]} | {names[-1]: pa.array([1], pa.timestamp("ns"))}
    pq.write_table(pa.table(rows), tmp_path / "progress", version="2.6")
    with (
        pytest.raises(BadRequest, match=r"TIMESTAMP.*write dates in micro"),
        translated_spark(),
    ):
        opens(progress=source(tmp_path / "progress", "parquet")).frame(PROGRESS).collect()


def test_a_date_beyond_what_can_be_held_in_parquet_marks_its_row_alone(
    spark: SparkSession, opens: Opens, tmp_path: Path
) -> None:
    names = ENROLMENT_COLUMNS.split(",")
    rows = {name: ["x", "y", "z"] for name in names[:3]} | {"active": [True] * 3, "status": [0, 1, 2]}
    dates = {
        "completedon": pa.array([1764144000000000000, 1767261600000, None], pa.timestamp("ms", "UTC")),
        "enrolled_date": pa.array([1, 2, 1764144000000000000], pa.timestamp("us")),  # Spark can hold it, Python cannot
        "lastcontentaccesstime": pa.array([3, None, -1764144000000000000], pa.timestamp("ms")),
    }
    pq.write_table(pa.table({**rows, **dates}), tmp_path / "enrolments")

    def read(sources: Sources) -> set[tuple[Any, ...]]:
        shown = ["user_id", "has_invalid_date", *(f"unix_micros({each})" for each in ENROLMENTS.dates)]
        return {tuple(row) for row in sources.frame(ENROLMENTS).selectExpr(*shown).collect()}

    found = despite_dates(opens(enrolments=source(tmp_path / "enrolments", "parquet")), read)
    assert found == {
        ("x", True, None, 1, 3000),
        ("y", False, 1767261600000000, 2, None),
        ("z", True, None, 1764144000000000000, None),
    }


def test_a_date_beyond_what_can_be_held_in_the_column_of_changes_tells_nothing(opens: Opens, tmp_path: Path) -> None:
    rows = {"user_id": ["x", "y"], "course_id": ["c1"] * 2, "batch_id": ["b1"] * 2, "seconds": [1, 2]}
    dates = pa.array([1764144000000000000, 1767261600000], pa.timestamp("ms", "UTC"))
    pq.write_table(pa.table({**rows, "seen_on": dates}), tmp_path / "timespent")
    file = settings.Source(format="parquet", path=str(tmp_path / "timespent"), changed_at="seen_on")

    def read(sources: Sources) -> list[tuple[Any, ...]]:
        dated = sources.dated(TIMESPENT).orderBy("user_id")
        return [tuple(row) for row in dated.selectExpr("user_id", "unix_millis(changed_at)").collect()]

    assert despite_dates(opens(timespent=file), read) == [("x", None), ("y", 1767261600000)]


def test_only_who_asks_for_changes_needs_the_column_that_tells_them(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "timespent.csv"
    file.write_text("user_id,course_id,batch_id,seconds\nu1,c1,b1,5\n")
    opened = opens(timespent=settings.Source(format="csv", path=str(file), changed_at="seen_on"))
    assert opened.frame(TIMESPENT).count() == 1
    with pytest.raises(BadRequest, match=r"see changes in timespent \(no column seen_on\)"):
        opened.check_dated([TIMESPENT])


def test_time_spent_in_a_file_need_not_tell_when_it_changed_and_counts_as_unchanged(
    opens: Opens, tmp_path: Path
) -> None:
    file = tmp_path / "timespent.csv"
    file.write_text("user_id,course_id,batch_id,seconds\nu1,c1,b1,5\n")
    opened = opens(timespent=source(file))
    opened.check_dated([TIMESPENT])
    assert [row.changed_at for row in opened.dated(TIMESPENT).collect()] == [None]


def test_everything_that_is_missing_is_in_one_message(opens: Opens, tmp_path: Path) -> None:
    progress, hierarchies = tmp_path / "progress.csv", tmp_path / "hierarchies.csv"
    progress.write_text("userid,batchid,contentid\n")
    hierarchies.write_text("identifier,hierarchy\n")
    with pytest.raises(BadRequest) as caught:
        opens(
            enrolments=source(tmp_path / "nowhere"),
            progress=source(progress),
            hierarchies=source(hierarchies, columns={"hierarchy": "tree"}),
        )
    message = str(caught.value)
    assert message.startswith(f"the sources lack enrolments ({tmp_path}/nowhere: ")
    assert f"; progress ({progress} has no column courseid, status); " in message
    assert message.endswith(f"hierarchies ({hierarchies} has no column tree): correct `sources` in the configuration")
    assert "\n" not in message


def test_nobody_who_was_erased_is_in_any_source_and_whoever_has_no_id_stays(opens: Opens, tmp_path: Path) -> None:
    enrolments, progress = tmp_path / "enrolments.csv", tmp_path / "progress.csv"
    enrolments.write_text(f"{ENROLMENT_COLUMNS}\nu1,c1,b1,,,,,\nu2,c1,b1,,,,,\n,c1,b1,,,,,\n")
    progress.write_text("userid,courseid,batchid,contentid,status\nu1,c1,b1,A,2\nu2,c1,b1,A,2\nu3,c1,b1,A,2\n")
    erased = Erased(b"a secret that is long enough").with_users(["u1", "u3", "who is in no source"])
    opened = opens(erased, enrolments=source(enrolments), progress=source(progress))
    assert {row.user_id for row in opened.frame(ENROLMENTS).collect()} == {"u2", None}
    assert [row.user_id for row in opened.frame(PROGRESS).collect()] == ["u2"]
    assert opened.frame(PROGRESS).columns == [*(field.name for field in fields(PROGRESS)), "has_invalid_date"]
    users = opened.erased_users
    assert users is not None
    assert {row.user_id for row in users.collect()} == {"u1", "u3"}


def test_no_plan_shows_the_secret_or_who_was_erased(opens: Opens, tmp_path: Path) -> None:
    file = tmp_path / "enrolments.csv"
    file.write_text(f"{ENROLMENT_COLUMNS}\nlearner-7,c1,b1,,,,,\nu2,c1,b1,,,,,\n")
    erased = Erased(b"a secret that is long enough").with_users(["learner-7"])
    frame = opens(erased, enrolments=source(file)).frame(ENROLMENTS)
    plan = frame._jdf.queryExecution().toString()
    assert "LeftAnti" in plan
    assert not [word for word in ("learner-7", "a secret", *erased.hashes) if word in plan]
