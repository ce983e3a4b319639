"""The jobs in Airflow 3: an incremental run every hour, a full one every night, a verification every week.

Their windows are half-open and explicit, [01:30, 01:30) of two days for the full run. The runs themselves have the
as_of of their start: with an older one, a retry would be superseded by whatever run succeeded meanwhile, and the
night's run would be missing while all looks well. An incremental run looks back to the last success, not to its window,
so none that was missed has to be caught up.

The lease keeps the runs apart, so the DAGs need no pool: one that meets another waits for it with --wait, then gives
way and succeeds. ACTIVITY_AGGREGATES_DIST names the folder of one release, in which are: what scripts/package built,
settings.yaml, and driver/, a virtual environment of Python 3.11 with requirements/job.lock.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.timetables.interval import CronDataIntervalTimetable

DIST = Path(os.environ.get("ACTIVITY_AGGREGATES_DIST", "/opt/activity-aggregates"))
CONNECTOR = "com.datastax.spark:spark-cassandra-connector_2.12:3.5.1"
FINAL = (1, 2)  # exit codes that another attempt will not change: a check failed, wrong arguments or settings


class Submit(SparkSubmitOperator):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Submits in client mode, where the exit code of the job comes back, and retries only where that may help."""

    def execute(self, context: Any) -> Any:
        """Fail at once on exit codes that are final; after the others Airflow tries again."""
        try:
            return super().execute(context)
        except AirflowException as error:
            code = re.search(r"Error code is: (\d+)", str(error))
            if code and int(code[1]) in FINAL:
                raise AirflowFailException(f"exit code {code[1]}, which another attempt will not change") from error
            raise


def dag(name: str, cron: str, entry: str, *arguments: str) -> DAG:
    """A DAG of one task, whose window is the interval between two ticks of `cron` in UTC."""
    with DAG(
        dag_id=f"activity_aggregates_{name}",
        schedule=CronDataIntervalTimetable(cron, timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,  # one run does the work of all that were missed
        max_active_runs=1,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
        tags=["activity-aggregates"],
    ) as made:
        Submit(
            task_id=entry,
            name=f"activity-aggregates {name}",
            application=str(DIST / "jobs" / f"{entry}.py"),
            application_args=[*arguments, "--conf", str(DIST / "settings.yaml")],
            py_files=",".join(str(package) for package in DIST.glob("activity_aggregates-*.zip")),
            archives=f"{DIST / 'env.tar.gz'}#env",
            packages=CONNECTOR,
            deploy_mode="client",
            conf={
                "spark.log.level": "WARN",
                "spark.sql.extensions": "com.datastax.spark.connector.CassandraSparkExtensions",
                "spark.executorEnv.PYTHONPATH": "env",
                "spark.pyspark.python": "python3.11",
                "spark.pyspark.driver.python": str(DIST / "driver" / "bin" / "python"),
            },
        )
    return made


incremental = dag("incremental", "10 * * * *", "run", "--incremental")
full = dag("full", "30 1 * * *", "run", "--wait", "3600")
verification = dag("verify", "30 4 * * 0", "verify", "--wait", "3600")
