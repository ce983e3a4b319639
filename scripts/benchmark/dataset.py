"""A data set of any size that is the same on every machine: arithmetic on row numbers, no random numbers.

Two enrolments per learner, about a thousand learners per course, 8 to 40 leaves in units of eight per course, about
eight progress rows per enrolment, an attempt for every fiftieth enrolment.
"""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

COLLECTION = "application/vnd.ekstep.content-collection"
PER_COURSE = 1000  # enrolments
PER_UNIT = 8  # leaves
PER_PARTITION = 200_000  # enrolments; a Spark partition

BATCH = "01%017d"  # of a course's number

# Primes, so that the learners spread over courses and numbers of leaves evenly and without a pattern.
SPREAD, STEP, TOUCH = 2_654_435_761, 7_919, 40_503


def tables(spark: SparkSession, enrolments: int) -> dict[str, DataFrame]:
    """The source tables as the platform names them and their columns."""
    courses = max(2, enrolments // PER_COURSE)
    enrolled = places(spark, enrolments, courses)
    return {
        "content_hierarchy": hierarchies(spark, courses),
        "user_enrolments": user_enrolments(enrolled),
        "user_content_consumption": user_content_consumption(enrolled),
        "assessment_aggregator": assessment_aggregator(enrolled),
    }


def changes(spark: SparkSession, enrolments: int, one_in: int) -> dict[str, DataFrame]:
    """What is written when one enrolment in `one_in` goes on: the next leaf is done, and the enrolment says when."""
    courses = max(2, enrolments // PER_COURSE)
    going_on = places(spark, enrolments, courses).filter(F.col("n") % one_in == 1)
    key = ["userid", "courseid", "batchid"]
    return {
        "user_content_consumption": going_on.filter("touched < leaves").select(
            *key, do_id(F.col("course"), F.col("touched") + 1).alias("contentid"), F.lit(2).alias("status")
        ),
        "user_enrolments": going_on.select(*key, F.current_timestamp().alias("lastcontentaccesstime")),
    }


def leaves_of(course: int) -> int:
    return 8 + course * STEP % 33


def places(spark: SparkSession, enrolments: int, courses: int) -> DataFrame:
    """Who is enrolled where: n, course, touched (how many leaves), leaves, and the key of the enrolment."""
    partitions = max(2, enrolments // PER_PARTITION)
    learner = F.expr("n div 2")
    course = (learner * SPREAD + F.col("n") % 2) % courses
    leaves = 8 + F.col("course") * STEP % 33
    return (
        spark.range(0, enrolments, numPartitions=partitions)
        .withColumnRenamed("id", "n")
        .withColumn("course", course)
        .withColumn("leaves", leaves)
        .select(
            "n", "course", "leaves",
            F.least("leaves", F.col("n") * TOUCH % 17).alias("touched"),
            F.md5(learner.cast("string")).alias("userid"),
            do_id(F.col("course")).alias("courseid"),
            F.format_string(BATCH, F.col("course")).alias("batchid"),
        )
    )  # fmt: skip


def user_enrolments(enrolled: DataFrame) -> DataFrame:
    is_finished = F.col("touched") == F.col("leaves")
    return enrolled.select(
        "userid", "courseid", "batchid",
        (F.col("n") % 20 != 0).alias("active"),
        F.when(is_finished, 2).when(F.col("touched") > 0, 1).otherwise(0).alias("status"),
        F.when(is_finished, F.lit("2026-01-01").cast("timestamp")).alias("completedon"),
        on_day(F.col("n") % 90).alias("enrolled_date"),
        F.when(F.col("touched") > 0, on_day(F.col("n") % 90 + F.col("touched"))).alias("lastcontentaccesstime"),
        F.when(is_finished, F.array(F.create_map(F.lit("name"), "courseid"))).alias("issued_certificates"),
    )  # fmt: skip


def user_content_consumption(enrolled: DataFrame) -> DataFrame:
    """Every leaf that was touched, in the order of the course; the last one is only started, unless all are done."""
    touched = enrolled.filter("touched > 0").withColumn("leaf", F.explode(F.expr("sequence(1, touched)")))
    is_under_way = (F.col("leaf") == F.col("touched")) & (F.col("touched") < F.col("leaves"))
    return touched.select(
        "userid", "courseid", "batchid",
        do_id(F.col("course"), F.col("leaf")).alias("contentid"),
        F.when(is_under_way, 1).otherwise(2).alias("status"),
        on_day(F.col("n") % 90 + F.col("leaf")).alias("last_access_time"),
    )  # fmt: skip


def assessment_aggregator(enrolled: DataFrame) -> DataFrame:
    taken = enrolled.filter("n % 50 = 1")
    return taken.select(
        F.col("courseid").alias("course_id"), F.col("batchid").alias("batch_id"), F.col("userid").alias("user_id"),
        do_id(F.col("course"), F.lit(1)).alias("content_id"),
        F.md5(F.concat(F.lit("attempt"), F.col("n").cast("string"))).alias("attempt_id"),
        (F.col("n") % 21 / 2).alias("total_score"),
        F.lit(10.0).alias("total_max_score"),
        F.lit("2026-01-01").cast("timestamp").alias("last_attempted_on"),
    )  # fmt: skip


def hierarchies(spark: SparkSession, courses: int) -> DataFrame:
    rows = [(f"do_31{course:015d}000", json.dumps(tree(course))) for course in range(courses)]
    return spark.createDataFrame(rows, "identifier string, hierarchy string")


def tree(course: int) -> dict[str, Any]:
    leaves = [
        {"identifier": f"do_31{course:015d}{leaf:03d}", "mimeType": "video/mp4", "name": f"Leaf {leaf}"}
        for leaf in range(1, leaves_of(course) + 1)
    ]
    units = [
        {
            "identifier": f"do_31{course:015d}9{start:02d}",
            "mimeType": COLLECTION,
            "children": leaves[start : start + PER_UNIT],
        }
        for start in range(0, len(leaves), PER_UNIT)
    ]
    return {"identifier": f"do_31{course:015d}000", "mimeType": COLLECTION, "children": units}


def on_day(number: Column) -> Column:
    """A point in time in the quarter before 2026."""
    return F.timestamp_seconds(F.lit(1_759_276_800) + number * 86_400)


def do_id(course: Column, content: Column | None = None) -> Column:
    """The id of a course, or of a content in it."""
    return F.format_string("do_31%015d%03d", course, F.lit(0) if content is None else content)
