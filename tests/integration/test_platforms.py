"""The settings of conf/platforms open the tables and files of the platforms that they are named after."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cassandra.cluster import Session
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.errors import BadRequest
from activity_aggregates.settings import Settings
from activity_aggregates.sources.tables import (
    ATTEMPTS,
    BATCHES,
    ENROLMENTS,
    GROUP_ATTEMPTS,
    GROUP_MEMBERS,
    GROUPS,
    HIERARCHIES,
    PROGRESS,
    TIMESPENT,
    Sources,
    SourceTable,
)
from activity_aggregates.store.connection import connection, spark_options
from activity_aggregates.store.erased import NOBODY
from activity_aggregates.store.migrations import statements
from metrics.trees.hierarchy import outline
from scripts.sample.schema import KEYSPACES
from tests.harness.roles import JOB, allow
from tests.harness.store import Store
from tests.harness.waiting import wait_until

PLATFORMS = Path("conf/platforms").absolute()
SCHEMAS = {
    "sunbird": Path("scripts/sample/sources.cql").absolute(),
    "sunbird-ycql": Path(__file__).parent / "platforms/sunbird-ycql.cql",
}
DATE = "2026-01-01T00:00:00Z"
TREE = {"identifier": "c1", "mimeType": "application/vnd.ekstep.content-collection", "children": [{"identifier": "A"}]}
DEPLOYED: dict[str, dict[str, Any]] = {
    "user_enrolments": {
        "userid": "u1", "courseid": "c1", "batchid": "b1", "active": True, "status": 2, "completedon": DATE,
        "enrolled_date": DATE, "lastcontentaccesstime": DATE, "issued_certificates": [{"name": "Algebra"}],
    },
    "course_batch": {"courseid": "c1", "batchid": "b1", "start_date": DATE, "enddate": "2026-06-30"},
    "content_hierarchy": {"identifier": "c1", "hierarchy": json.dumps(TREE)},
    "group": {"id": "g1", "status": "active", "activities": [{"id": "c1", "type": "Course"}]},
    "group_member": {"groupid": "g1", "userid": "u1", "status": "active"},
}  # fmt: skip
PROGRESS_ROW = {"userid": "u1", "contentid": "A", "status": 2, "last_access_time": DATE}
ATTEMPT_ROW = {
    "user_id": "u1", "content_id": "Q", "attempt_id": "t1",
    "total_score": 1.0, "total_max_score": 2.0, "last_attempted_on": DATE,
}  # fmt: skip
KEYED = {
    "sunbird": {
        "user_content_consumption": {"courseid": "c1", "batchid": "b1", **PROGRESS_ROW},
        "assessment_aggregator": {"course_id": "c1", "batch_id": "b1", **ATTEMPT_ROW},
    },
    "sunbird-ycql": {
        "user_content_consumption": {"collectionid": "c1", "contextid": "b1", **PROGRESS_ROW},
        "assessment_aggregator": {"collection_id": "c1", "context_id": "b1", **ATTEMPT_ROW},
    },
}
MS = 1767225600000
# What is read of these rows: dates as epoch milliseconds.
READ = {
    ENROLMENTS: ("u1", "c1", "b1", True, 2, MS, MS, MS, 1, False),
    PROGRESS: ("u1", "c1", "b1", "A", 2, MS, False),
    ATTEMPTS: ("c1", "b1", "u1", "Q", "t1", 1.0, 2.0, MS, False),
    BATCHES: ("c1", None, "2026-06-30", MS, None, False),
    GROUPS: ("g1", "active", [{"id": "c1", "type": "Course"}]),
    GROUP_MEMBERS: ("g1", "u1", "active"),
}
ReadAs = Callable[[Settings], Sources]


@pytest.fixture
def opens(spark: SparkSession) -> ReadAs:
    def opened(settings: Settings) -> Sources:
        reached = connection(settings.cassandra, os.environ)
        return Sources(spark, settings.sources, spark_options(reached), NOBODY, connection=reached)

    return opened


@contextmanager
def deployed(cassandra: Session, schema: Path) -> Iterator[dict[str, str]]:
    """The platform's tables in keyspaces of the test's own, by the platform's names for them."""
    keyspaces = {name: f"p{uuid4().hex[:8]}_{name}" for name in KEYSPACES.values()}
    try:
        for keyspace in keyspaces.values():
            replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
            cassandra.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}")
        for statement in statements(schema.read_text("utf-8")):
            names = {variable: keyspaces[name] for variable, name in KEYSPACES.items()}
            cassandra.execute(Template(statement).substitute(names))
        allow(cassandra, keyspaces, JOB)
        yield keyspaces
    finally:
        for keyspace in keyspaces.values():
            cassandra.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")


def found(sources: Sources, table: SourceTable) -> tuple[Any, ...]:
    """The one row of a source."""
    frame = sources.frame(table)
    (row,) = frame.selectExpr(
        *(f"unix_millis({n})" if kind == "timestamp" else n for n, kind in frame.dtypes)
    ).collect()
    return tuple(row)


def placed(file: Path, places: Mapping[str, str], setting: str) -> Settings:
    """The settings of a file with each source in its place in the test."""
    sources = load(file, {}, {}).settings.sources
    named = {name: getattr(getattr(sources, name), setting) for name in vars(sources) if getattr(sources, name)}
    flags = {f"sources.{name}.{setting}": places[value] for name, value in named.items()}
    return load(file, os.environ, flags).settings


@pytest.mark.parametrize("platform", [*SCHEMAS])
def test_the_tables_of_a_platform_are_read_under_its_own_names(
    cassandra: Session, opens: ReadAs, platform: str
) -> None:
    with deployed(cassandra, SCHEMAS[platform]) as keyspaces:
        store = Store(cassandra, keyspaces.values())
        for name, row in {**DEPLOYED, **KEYED[platform]}.items():
            store.load(name, [row])
        settings = placed(PLATFORMS / f"{platform}.yaml", keyspaces, "keyspace")
        sources = when_seen(opens, settings)
        assert {table: found(sources, table) for table in READ} == READ
        assert sources.absent_columns == {}
        sources.check_dated([*READ])
        course, text = found(sources, HIERARCHIES)
        assert outline(course, text).leaves == {"A": 0}


def when_seen(opens: ReadAs, settings: Settings) -> Sources:
    """The sources, once the session of Spark's connector has heard of tables that were just made."""
    opened: list[Sources] = []

    def is_seen() -> bool:
        try:
            opened.append(opens(settings))
        except (BadRequest, AnalysisException):
            return False
        return True

    wait_until(is_seen, "the tables are not seen")
    return opened[0]


def test_files_of_every_format_are_read_with_nulls_that_are_written_as_a_word(opens: ReadAs, tmp_path: Path) -> None:
    write_files(tmp_path)
    paths = {f"/exports/{file.name}": str(file) for file in tmp_path.iterdir()}
    sources = opens(placed(PLATFORMS / "files.yaml", paths, "path"))
    assert {table: found(sources, table) for table in READ} == READ
    assert found(sources, GROUP_ATTEMPTS) == ("g1", "Q", "u1", "t1", None, 2.0, None, False)
    assert found(sources, TIMESPENT) == ("u1", "c1", "b1", 12.5)
    sources.check_dated([ENROLMENTS, HIERARCHIES, ATTEMPTS, BATCHES, GROUPS, GROUP_MEMBERS, GROUP_ATTEMPTS, TIMESPENT])
    course, text = found(sources, HIERARCHIES)
    assert outline(course, text).leaves == {"A": 0}


def write_files(folder: Path) -> None:
    """Each file as files.yaml names it; Parquet and JSON with the types of their values, CSV with all as texts."""
    seen = {"changed_at": DATE, "updatedon": DATE}
    for name, rows in {
        "user_enrolments": {
            **DEPLOYED["user_enrolments"],
            "issued_certificates": '[{"name": "Algebra"}]',
            "datetime": MS,
        },
        "user_content_consumption": KEYED["sunbird"]["user_content_consumption"],
        "timespent": {"user_id": "u1", "course_id": "c1", "batch_id": "b1", "seconds": 12.5},
    }.items():
        pq.write_table(pa.Table.from_pylist([rows]), folder / name)
    for name in ("content_hierarchy", "group", "group_member"):
        row = {**DEPLOYED[name], **seen} | ({"hierarchy": TREE} if name == "content_hierarchy" else {})
        (folder / name).write_text(json.dumps(row))
    (folder / "assessment_aggregator.csv").write_text(
        "course_id,batch_id,user_id,content_id,attempt_id,total_score,total_max_score,last_attempted_on,updated_on\n"
        f"c1,b1,u1,Q,t1,1,2,{DATE},null\n"
    )
    (folder / "course_batch.csv").write_text(
        f"courseid,batchid,start_date,end_date,startdate,enddate,updated_date\nc1,b1,{DATE},null,null,2026-06-30,null\n"
    )
    (folder / "group_attempts.csv").write_text(
        "group_id,content_id,user_id,attempt_id,total_score,total_max_score,last_attempted_on\ng1,Q,u1,t1,null,2,null\n"
    )
