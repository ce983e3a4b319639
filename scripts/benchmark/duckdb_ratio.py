"""The same aggregation of the Parquet set in DuckDB, as a yardstick that is the same on every machine."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activity_aggregates.errors import BadRequest

# Every leaf of this data set is required, so a collection's leaves are the required ones.
ROWS = """
    CREATE TABLE counted AS
        SELECT activity_type, activity_id, userid, courseid, batchid,
               count(*) AS started, count(*) FILTER (status = 2) AS done
        FROM read_parquet($progress) JOIN leaves USING (courseid, contentid) WHERE status >= 1
        GROUP BY ALL;
    CREATE TABLE learners AS
        WITH activities AS (SELECT activity_type, activity_id, courseid, count(*) AS leaves FROM leaves GROUP BY ALL)
        SELECT activity_type, activity_id, userid, batchid, coalesce(started, 0) AS started, coalesce(done, 0) AS done,
               leaves, (10000 * coalesce(done, 0)) // leaves / 100 AS percentage,
               coalesce(done, 0) = leaves OR (activity_type = 'Course' AND (status = 2 OR completedon IS NOT NULL))
                   AS completed
        FROM read_parquet($enrolments) JOIN activities USING (courseid)
        LEFT JOIN counted USING (activity_type, activity_id, userid, courseid, batchid)
        WHERE active AND (activity_type = 'Course' OR started > 0);
    COPY learners TO $learners (FORMAT parquet);
    COPY (SELECT activity_type, activity_id, batchid, count(*) FILTER (started > 0) AS started,
                 count(*) FILTER (completed) AS completed, sum(done) AS done,
                 count(*) FILTER (percentage >= 25) AS reached25, count(*) FILTER (percentage >= 50) AS reached50,
                 count(*) FILTER (percentage >= 75) AS reached75
          FROM learners GROUP BY ALL) TO $activities (FORMAT parquet);
"""


def aggregate(parquet: Path) -> int:
    try:
        import duckdb
    except ImportError as error:
        raise BadRequest("duckdb is not installed: .venv/bin/pip install duckdb") from error
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        started = time.monotonic()
        trees = connection.read_parquet(f"{parquet}/content_hierarchy/*.parquet").fetchall()
        connection.execute("CREATE TABLE leaves (activity_type text, activity_id text, courseid text, contentid text)")
        with Path(scratch, "leaves.csv").open("w") as file:
            file.writelines(",".join(row) + "\n" for course, tree in trees for row in leaves(course, json.loads(tree)))
        connection.execute(f"COPY leaves FROM '{file.name}'")
        for statement in connection.extract_statements(with_paths(parquet, Path(scratch))):
            connection.execute(statement)
        seconds = time.monotonic() - started
        rows, completed = connection.execute("SELECT count(*), count(*) FILTER (completed) FROM learners").fetchone()
    print(f"DuckDB: {seconds:.1f} s for {rows:,} rows of learners, {completed:,} of them completed")
    return 0


def with_paths(parquet: Path, out: Path) -> str:
    paths = {
        "$progress": f"{parquet}/user_content_consumption/*.parquet",
        "$enrolments": f"{parquet}/user_enrolments/*.parquet",
        "$learners": f"{out}/learners.parquet",
        "$activities": f"{out}/activities.parquet",
    }
    statements = ROWS
    for name, path in paths.items():
        statements = statements.replace(name, f"'{path}'")
    return statements


def leaves(course: str, tree: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for unit in tree["children"]:
        for leaf in unit["children"]:
            yield "Course", course, course, leaf["identifier"]
            yield "CourseUnit", unit["identifier"], course, leaf["identifier"]
