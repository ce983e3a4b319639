"""Fixtures and options of all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Session
from pyspark.sql import SparkSession

from activity_aggregates.configuration import load
from activity_aggregates.store.connection import connection, open_session
from tests.harness.processes import SHORT_LIVED
from tests.harness.roles import JOB, MIGRATE, create_roles, is_demanded, signed_in_as
from tests.harness.session import small_session

# Files with a part of their own in scripts/test, and the variable by which it asks for them.
OF_THEIR_OWN = {
    "test_airflow.py": "AIRFLOW_PYTHON",
    "test_executor.py": "KUBERNETES_TOOLS",
    "test_kafka.py": "WITH_KAFKA",
    "mutants.py": "MUTATION_PYTHON",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=Path, metavar="DIR", help="run the case files of this folder, and nothing else")
    parser.addoption("--seed", type=int, metavar="N", help="of tests/protocol and tests/fuzz only what this seed draws")
    parser.addoption("--histories", type=int, metavar="N", help="how many tests/protocol plays")
    parser.addoption("--each", type=int, metavar="N", help="in how many contexts tests/corruption does each damage")
    parser.addoption("--mutations", type=int, metavar="N", help="how many the twin of the store is compared over")
    parser.addoption("--inputs", type=int, metavar="N", help="how many inputs tests/fuzz tries, in place of a few")


def pytest_configure() -> None:
    os.environ["SPARK_SUBMIT_OPTS"] = SHORT_LIVED


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --cases everything but the cases is left out; those with a part of their own are asked for alone."""
    needed = OF_THEIR_OWN.get(collection_path.name)
    if needed is not None and not os.environ.get(needed):
        return True
    is_other = collection_path.is_file() and collection_path.name != "test_cases.py"
    return True if config.getoption("--cases") and is_other else None


@pytest.fixture(scope="session")
def cassandra() -> Iterator[Session]:
    """A session of the cluster that the environment names; where it demands a login, commands have their roles."""
    for variable in ("CASSANDRA_CONTACT_POINTS", "CASSANDRA_PORT"):
        if not os.environ.get(variable):
            pytest.fail(f"{variable} is not set: run the tests with scripts/test, which starts a Cassandra", False)
    with open_session(connection(load(None, os.environ, {}).settings.cassandra, os.environ)) as session:
        if is_demanded():
            create_roles(session)
            session.execute(f"GRANT CREATE ON ALL KEYSPACES TO {MIGRATE}")  # tests have target.replication
        with signed_in_as(JOB):
            yield session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A small session; what `main` is called for in this process runs on it, too."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("SPARK_SUBMIT_OPTS")
        session = small_session(tmp_path_factory.mktemp("warehouse"))
    yield session
    session.stop()


@pytest.fixture(params=["false", "true"], ids=["ansi-off", "ansi-on"])
def ansi(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[str]:
    """Spark's ANSI mode, off and on: what is computed does not depend on it."""
    yield from switched(spark, "spark.sql.ansi.enabled", request.param)


@pytest.fixture(params=["false", "true"], ids=["adaptive-off", "adaptive-on"])
def adaptive(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[str]:
    """Adaptive execution, off and on, for queries that are made and run in the test."""
    yield from switched(spark, "spark.sql.adaptive.enabled", request.param)


def switched(spark: SparkSession, key: str, value: str) -> Iterator[str]:
    """A setting of the session for one test."""
    before = str(spark.conf.get(key))
    spark.conf.set(key, value)
    yield value
    spark.conf.set(key, before)
