"""What the integration tests find in Cassandra."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest
from cassandra.cluster import Session
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.store.connection import connection, spark_options
from activity_aggregates.store.connector import CASSANDRA_FORMAT
from tests.harness.environment import Environment, environment
from tests.harness.waiting import wait_until


@pytest.fixture(scope="session")
def made_once(
    spark: SparkSession, cassandra: Session, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """Keyspaces with their tables: to make them takes as long as some runs."""
    with environment(cassandra, tmp_path_factory.mktemp("made")) as created:
        wait_until_seen(spark, created)
        yield created


@pytest.fixture(scope="module")
def made(made_once: Environment) -> Environment:
    """Empty tables, which no test alters; what it calls `main` for in this process runs on the session of all tests."""
    made_once.empty()
    return made_once


def wait_until_seen(spark: SparkSession, created: Environment) -> None:
    """The connector's session, which all tests share, hears of new tables a second or more after they were made."""
    options = spark_options(connection(load(None, os.environ, {}).settings.cassandra, os.environ))

    def is_seen(keyspace: str, table: str) -> bool:
        try:
            spark.read.format(CASSANDRA_FORMAT).options(**options, keyspace=keyspace, table=table).load()
        except AnalysisException:
            return False
        return True

    for place in created.store.places():
        wait_until(partial(is_seen, *place), f"{'.'.join(place)} is not seen")
